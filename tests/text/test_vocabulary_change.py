import pathlib
import random

import pytest

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary import Vocabulary
from kbert.text.vocabulary_change import extend_vocabulary, prune_vocabulary

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNUSED = Vocabulary([*SPECIAL, "[unused1]", "a", "[unused2]", "b"])
ODD = {
    "pad_token": "<p>",
    "unknown_token": "<u>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<m>",
}


def test_appended_in_order():
    extended = extend_vocabulary(UNUSED, (t for t in ["c", "##d", "b", "c", "e"]))
    assert extended.tokens == (*UNUSED.tokens, "c", "##d", "e")
    assert extend_vocabulary(extended, ["e", "c"]) == extended
    assert extend_vocabulary(UNUSED, []) == UNUSED


def test_onto_unused():
    extended = extend_vocabulary(UNUSED, ["c"], onto_unused=True)
    assert extended.tokens == (*SPECIAL, "c", "a", "[unused2]", "b")
    extended = extend_vocabulary(UNUSED, ["c", "a", "##d"], onto_unused=True)
    assert extended.tokens == (*SPECIAL, "c", "a", "##d", "b")
    message = (
        r"Expected \[unusedN\] tokens for 3 new ones; the vocabulary has 2\. Leave"
    )
    with pytest.raises(ValueError, match=message):
        extend_vocabulary(UNUSED, ["c", "d", "e"], onto_unused=True)


def test_special_tokens_keep_their_spelling():
    vocabulary = Vocabulary(["<m>", "a", "<s>", "</s>", "<u>", "<p>", "b"], **ODD)
    extended = extend_vocabulary(vocabulary, ["c"])
    assert extended.special_tokens == vocabulary.special_tokens
    pruned = prune_vocabulary(ReferenceTokenizer(vocabulary), ["b"])
    assert pruned.tokens == ("<m>", "<s>", "</s>", "<u>", "<p>", "b")
    assert pruned.special_tokens == vocabulary.special_tokens


def test_user_tokens_are_held_whole_and_kept():
    flagged = {"content": "<f>", "special": True}
    extended = extend_vocabulary(UNUSED, ["c"], user_tokens=["<e>", flagged, "b"])
    assert extended.tokens == (*UNUSED.tokens, "c", "<e>", "<f>")
    added = [token.arguments() for token in extended.added_tokens]
    assert added == [{"content": "b"}, {"content": "<e>"}, flagged]
    tokenizer = ReferenceTokenizer(extended)
    assert tokenizer.tokenize("b<e>c ab") == ["b", "<e>", "c", "a", "b"]
    assert extend_vocabulary(extended, ["d"]).added_tokens == extended.added_tokens
    pruned = prune_vocabulary(tokenizer, ["c<e>"])
    assert pruned.tokens == (*SPECIAL, "b", "c", "<e>", "<f>")
    assert pruned.added_tokens == extended.added_tokens
    placed = extend_vocabulary(UNUSED, onto_unused=True, user_tokens=["<e>"])
    assert placed.tokens[5] == "<e>" and len(placed) == len(UNUSED)
    with pytest.raises(ValueError, match="user_tokens must be a list of tokens; got"):
        extend_vocabulary(UNUSED, user_tokens="<e>")


@pytest.mark.parametrize(
    "tokens, message",
    [
        ("abc", "must be a list of tokens; got the string 'abc'"),
        ([""], "must hold a character; got ''"),
        (["c", "##"], "must hold a character; got '##'"),
        (["코로나 19"], "neither white space nor control characters; got '코로나 19'"),
        (["a\u3000b"], "neither white space nor control"),
        (["\ufeffc"], r"neither white space nor control characters; got '\\ufeffc'"),
    ],
)
def test_bad_tokens(tokens, message):
    with pytest.raises(ValueError, match=message):
        extend_vocabulary(UNUSED, tokens)


def test_pruned_example():
    tokens = [*SPECIAL, "a", "b", "ab", "##a", "##b", "##ab", "c"]
    pruned = prune_vocabulary(ReferenceTokenizer(tokens), ["ab b", "aab"])
    assert pruned.tokens == tuple(tokens[:-1])


def test_the_texts_are_cut_as_before():
    old = Vocabulary.read(DATA / "bert-base-uncased.txt")
    text = (DATA / "text_sample_en.txt").read_text("utf-8")
    lines = [*text.split("\n")[:50], "学校 xyzzy☃ ☃ 가\u200b나 \u00a0émigré"]
    for tokenizer in (
        ReferenceTokenizer(old, lowercase=True),
        BertTokenizer(old, lowercase=True),
    ):
        pruned = prune_vocabulary(tokenizer, iter(lines))
        assert len(pruned) < len(old) / 5
        assert [t for t in old.tokens if t in pruned] == list(pruned.tokens)
        before = ReferenceTokenizer(old, lowercase=True)
        after = ReferenceTokenizer(pruned, lowercase=True)
        assert [after.tokenize(t) for t in lines] == [before.tokenize(t) for t in lines]


def test_an_unknown_word_stays_unknown():
    # abc is cut ab and then stuck; without ab it would be a ##bc, both used elsewhere.
    tokens = [*SPECIAL, "ab", "a", "##bc", "x", "y", "##y"]
    texts = ["abc a xbc"]
    assert ReferenceTokenizer(tokens).tokenize(texts[0]) == ["[UNK]", "a", "x", "##bc"]
    pruned = prune_vocabulary(ReferenceTokenizer(tokens), texts)
    assert pruned.tokens == (*SPECIAL, "ab", "a", "##bc", "x")
    assert ReferenceTokenizer(pruned).tokenize(texts[0])[0] == "[UNK]"


def test_random_vocabularies_cut_as_before():
    rng = random.Random(0)
    for _ in range(200):
        sizes = [rng.randint(1, 3) for _ in range(12)]
        pieces = {"".join(rng.choices("abc", k=size)) for size in sizes}
        tokens = {rng.choice(["", "##"]) + piece for piece in sorted(pieces)}
        texts = ["a", *("".join(rng.choices("abc  ", k=9)) for _ in range(4))]
        tokenizer = ReferenceTokenizer([*SPECIAL, "z", *sorted(tokens | {"a"})])
        pruned = ReferenceTokenizer(prune_vocabulary(tokenizer, texts))
        assert list(map(pruned.tokenize, texts)) == list(map(tokenizer.tokenize, texts))


def test_min_count_and_keep():
    tokens = [*SPECIAL, "a", "b", "ab", "##a", "##b", "abb", "aa", "c"]
    texts = ["ab ab aa"]
    pruned = prune_vocabulary(ReferenceTokenizer(tokens), texts, min_count=2)
    assert pruned.tokens == (*SPECIAL, "a", "b", "ab", "##a", "##b")
    pruned = prune_vocabulary(ReferenceTokenizer(tokens), texts, 3, keep=["c"])
    assert pruned.tokens == (*SPECIAL, "a", "b", "##a", "##b", "c")
    assert ReferenceTokenizer(pruned).tokenize("ab") == ["a", "##b"]


def test_errors_of_pruning():
    tokenizer = ReferenceTokenizer(UNUSED)
    with pytest.raises(ValueError, match="min_count must be at least 1; got 0"):
        prune_vocabulary(tokenizer, ["a"], min_count=0)
    with pytest.raises(ValueError, match="iterable of strings; got the string 'a'"):
        prune_vocabulary(tokenizer, "a")
    with pytest.raises(ValueError, match="in keep; 'z' is not in it"):
        prune_vocabulary(tokenizer, ["a"], keep=["z", "a"])
    with pytest.raises(ValueError, match="words the vocabulary knows; got none"):
        prune_vocabulary(tokenizer, ["", "xyz"])
