import random

import pytest

from kbert.text.added_tokens import AddedToken, as_added_token
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcE1<>/é가中_-"
PIECES = [*LETTERS, *(f"##{c}" for c in LETTERS)]
PIECES += ["ab", "##ab", "cat", "e", "##e", "ᄀ", "##ᅡ", "e1"]
BASE = [*SPECIAL, "[unused1]", *dict.fromkeys(PIECES)]
# Spelled differently when normalised, too: of two that are not, either may be found.
SPELLED = ["<e1>", "</e1>", "E1x", "ab", "cat", "中", "é", "[unused1]", "<e", "가가"]
SPELLED += ["1", "_a", "-", "ab>", "a", "B", "a b"]


def tokens(text, *added, **settings):
    """The tokens of one text, some of them added behind the others."""
    added = [as_added_token(token) for token in added]
    behind = [token.content for token in added if token.content not in BASE]
    vocabulary = Vocabulary([*BASE, *behind], added_tokens=added)
    return ReferenceTokenizer(vocabulary, **settings).tokenize(text)


def test_markers_are_one_token_each():
    text = "ab <e1> cat </e1> a"
    assert tokens(text, "<e1>", "</e1>") == ["ab", "<e1>", "cat", "</e1>", "a"]
    assert tokens(text.replace(" ", ""), "<e1>", "</e1>") == (
        ["ab", "<e1>", "cat", "</e1>", "a"]
    )
    assert tokens(text)[1:4] == ["<", "e1", ">"]
    assert tokens("[unused1] [unused1", "[unused1]") == ["[unused1]", *["[UNK]"] * 2]


def test_as_typed_or_normalised():
    upper = {"content": "<E1>", "normalized": True}
    assert tokens("<e1><E1>", "<e1>", lowercase=True)[0] == "<e1>"
    assert tokens("<e1><E1>", "<e1>", lowercase=True).count("<e1>") == 1
    assert tokens("<e1> <é1>", upper, lowercase=True) == ["<E1>", "<E1>"]
    assert tokens("<e1>", upper) != ["<E1>"]
    # An ideograph is a word of its own when normalised, and the token between spaces.
    assert tokens("a中中b", {"content": "中", "normalized": True}) == [
        "a",
        "中",
        "中",
        "b",
    ]


def test_single_words_and_the_longest_first():
    single = {"content": "ab", "single_word": True}
    assert tokens("ab cab ab-1 ab가 ab", {**single, "content": "ab"}) == (
        ["ab", "c", "##ab", "ab", "-", "1", "ab", "##가", "ab"]
    )
    assert tokens("ab>ab", "ab>", "ab", "b>") == ["ab>", "ab"]


def test_what_stands_behind_vocab_txt_is_no_piece():
    behind = {"content": "abc", "single_word": True, "is_piece": False}
    assert tokens("abc abce", behind) == ["abc", "ab", "##c", "##e"]
    assert tokens("abc abce", behind | {"is_piece": True}) == ["abc", "abc", "##e"]


def test_places_and_text_again():
    added = [
        {"content": "<e1>", "special": True},
        {"content": "AB", "normalized": True},
    ]
    vocabulary = Vocabulary([*BASE, "<e1>", "AB"], added_tokens=added)
    tokenizer = ReferenceTokenizer(vocabulary, lowercase=True)
    text = "é <e1>\u200bÁb>"
    located = tokenizer.tokenize_with_offsets(text)
    assert [text[start:limit] for _, start, limit in located] == [
        "é",
        "<e1>",
        "Áb",
        ">",
    ]
    assert [vocabulary.id_to_token(id) for id, *_ in located] == [
        "e",
        "<e1>",
        "AB",
        ">",
    ]
    assert tokenizer.detokenize([id for id, *_ in located]) == "e AB >"
    assert tokenizer.words(text) == ["e", "<e1>", "AB", ">"]
    again = ReferenceTokenizer.from_config(tokenizer.get_config())
    assert again.tokenize_with_offsets(text) == located


def test_bad_tokens():
    with pytest.raises(ValueError, match="no control characters.*got 'a\ufffd'"):
        AddedToken("a\ufffd")
    with pytest.raises(ValueError, match="true or false for single_word.*got 1"):
        as_added_token({"content": "a", "single_word": 1})


def cases(count, seed):
    """Added tokens of all kinds and texts with them: (added, settings, texts)."""
    draw = random.Random(seed)
    alphabet = [*SPELLED, *"abcE1<>/é가中_ -", " ", "\u200b", "É", "A", "\x01", "\n"]
    for _ in range(count):
        spelled = draw.sample(SPELLED, draw.randint(1, 6))
        chance = {"normalized": 0.5, "single_word": 0.3, "special": 0.3}
        added = [
            {"content": c} | {n: draw.random() < p for n, p in chance.items()}
            for c in spelled
        ]
        settings = {
            "lowercase": draw.random() < 0.6,
            "strip_accents": draw.choice([None, True, False]),
            "split_on_cjk": draw.random() < 0.8,
        }
        texts = [
            "".join(draw.choices(alphabet, k=draw.randint(0, 9))) for _ in range(40)
        ]
        yield added, settings, texts


def made(added):
    """The vocabulary with the tokens, as Hugging Face's library numbers them."""
    tokens = list(BASE)
    for token in sorted(added, key=lambda token: not token["special"]):
        if token["content"] not in tokens:
            tokens.append(token["content"])
    flagged = [t | {"is_piece": t["content"] in BASE} for t in added]
    return Vocabulary(tokens, added_tokens=flagged)


def rust_ids(added, settings, texts):
    """The ids of the library `tokenizers`."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {token: id for id, token in enumerate(BASE)}
    rust = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]")
    )
    rust.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=settings["lowercase"],
        strip_accents=settings["strip_accents"],
        handle_chinese_chars=settings["split_on_cjk"],
    )
    rust.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    for token in sorted(added, key=lambda token: not token["special"]):
        add = rust.add_special_tokens if token["special"] else rust.add_tokens
        add([tokenizers.AddedToken(**token)])
    return [encoding.ids for encoding in rust.encode_batch(texts)]


def test_ids_equal_those_of_tokenizers():
    for added, settings, texts in cases(60, seed=7):
        tokenizer = ReferenceTokenizer(
            made(added), **settings, compatibility="huggingface"
        )
        assert tokenizer(texts) == rust_ids(added, settings, texts)
