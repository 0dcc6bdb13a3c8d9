import json

import pytest
import tokenizers
from tokenizers import normalizers, pre_tokenizers

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer_files import load_light_tokenizer, load_vocabulary
from kbert.text.tokenizers_file import (
    is_tokenizers_file,
    read_tokenizers_file,
    write_tokenizers_file,
)
from kbert.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["ab", "##c", "e", "É", "中", "!", "가", "##나", "ᄀ", "##ᅡ", "a", "##b"]
TEXTS = ["abc É!é 中ab E", "가나 ABC", "ab\u200bc", "a" * 12, "a" * 8]


def rust(prefix="##", **parts):
    """A tokenizer of the library, of `PIECES`."""
    names = [piece.replace("##", prefix) for piece in PIECES]
    ids = {token: id for id, token in enumerate([*SPECIAL, *names])}
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            ids,
            unk_token="[UNK]",
            continuing_subword_prefix=prefix,
            max_input_chars_per_word=parts.pop("longest", 100),
        )
    )
    made.normalizer = parts.pop("normalizer", normalizers.BertNormalizer())
    made.pre_tokenizer = parts.pop("splits", pre_tokenizers.BertPreTokenizer())
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def ids_of(made):
    return [encoding.ids for encoding in made.encode_batch(TEXTS)]


SEQUENCES = [
    [normalizers.Lowercase()],
    [normalizers.NFD(), normalizers.StripAccents()],
    [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()],
    [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()],
]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"normalizer": normalizers.BertNormalizer(lowercase=False)},
        {"normalizer": normalizers.BertNormalizer(strip_accents=False)},
        {"normalizer": normalizers.BertNormalizer(handle_chinese_chars=False)},
        {"longest": 8},
        {"prefix": "@@"},
        {
            "splits": pre_tokenizers.Sequence(
                [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
            )
        },
    ],
)
def test_ids_equal_those_of_the_library(tmp_path, parts):
    made = rust(**parts)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    assert is_tokenizers_file(path)
    assert load_light_tokenizer(path).ids(TEXTS) == ids_of(made)
    assert load_light_tokenizer(tmp_path).ids(TEXTS) == ids_of(made)


@pytest.mark.parametrize("steps", SEQUENCES)
def test_sequences_of_normalizers(tmp_path, steps):
    made = rust(normalizer=normalizers.Sequence(steps))
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    with pytest.warns(UserWarning, match="keeps control characters, which are deleted"):
        tokenizer = load_light_tokenizer(path)
    plain = [text for text in TEXTS if "\u200b" not in text]
    expected = [ids for ids, text in zip(ids_of(made), TEXTS) if text in plain]
    assert tokenizer.ids(plain) == expected


def test_special_tokens_it_names(tmp_path):
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            {"<p>": 0, "<u>": 1, "<s>": 2, "</s>": 3, "[MASK]": 4, "a": 6},
            unk_token="<u>",
        )
    )
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for ends in (
        tokenizers.processors.BertProcessing(("</s>", 3), ("<s>", 2)),
        tokenizers.processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
        ),
    ):
        made.post_processor = ends
        made.enable_padding(pad_token="<p>")
        made.save(str(tmp_path / "tokenizer.json"))
        vocabulary = load_vocabulary(tmp_path / "tokenizer.json")
        assert vocabulary.special_tokens == ("<p>", "<u>", "<s>", "</s>", "[MASK]")
        assert vocabulary.tokens[5:] == ("[blank 5]", "a")


def test_written_and_read_again(tmp_path):
    added = [
        {"content": "<e>", "special": True, "is_piece": False},
        {"content": "URL", "normalized": True, "single_word": True},
        {"content": "</e>", "is_piece": False},
    ]
    tokens = [*SPECIAL, *PIECES, "URL", "</e>", "<e>"]
    vocabulary = Vocabulary(tokens, added_tokens=added)
    tokenizer = ReferenceTokenizer(vocabulary, True, compatibility="huggingface")
    write_tokenizers_file(tokenizer, tmp_path)
    path = tmp_path / "tokenizer.json"
    assert load_light_tokenizer(path).get_config() == tokenizer.get_config()
    made = tokenizers.Tokenizer.from_file(str(path))
    texts = [*TEXTS, "ab<e>ab</e>url urlx <E>"]
    encoded = [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]
    assert encoded == tokenizer.ids(texts)
    assert made.encode("[MASK]").ids == [2, 4, 3]
    assert made.encode("ab", "e").type_ids == [0, 0, 0, 1, 1]
    assert made.decode([2, 5, 6, 3]) == "abc"
    # For a server, what a user types is text.
    write_tokenizers_file(tokenizer, tmp_path, 4, special_tokens_in_text=False)
    made = tokenizers.Tokenizer.from_file(str(path))
    assert 4 not in made.encode("[MASK]").ids and len(made.encode("ab " * 9).ids) == 4


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model": {"type": "BPE", "vocab": {}}}, "a WordPiece model.*; it is BPE"),
        ({"model": 7}, "an object for model; it says 7"),
        ({"normalizer": {"type": "NFKC"}}, "a normalizer that BERT's.*it has NFKC"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "as BERT splits.*has Whitespace"),
        ({"pre_tokenizer": None}, "as BERT splits them.*has no pre_tokenizer"),
        (
            {"pre_tokenizer": {"type": "Punctuation", "behavior": "Removed"}},
            "as BERT splits them",
        ),
    ],
)
def test_what_berts_rules_cannot_do_is_named(tmp_path, change, message):
    path = tmp_path / "tokenizer.json"
    rust().save(str(path))
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ValueError, match=f"tokenizer.json: expected .*{message}"):
        read_tokenizers_file(path)


@pytest.mark.parametrize(
    "vocab, prefix, message",
    [
        ({"a": 0, "b": 0}, "##", "each once; 'b' has 0"),
        ({"a": -1}, "##", "each once; 'a' has -1"),
        ({"a": "0"}, "##", "each once; 'a' has '0'"),
        ({"a": 0, "b": 10**9}, "##", "2 tokens have ids up to 1,000,000,000"),
        ({}, "##", "0 tokens have ids up to 0"),
        ({"##a": 0, "@a": 1}, "@", "can be told apart.*prefix is '@'"),
        ({"a": 0}, "", "can be told apart.*prefix is ''"),
    ],
)
def test_damaged_vocabularies(tmp_path, vocab, prefix, message):
    path = tmp_path / "tokenizer.json"
    rust().save(str(path))
    stored = json.loads(path.read_text("utf-8"))
    stored["added_tokens"] = []
    stored["model"] |= {"vocab": vocab, "continuing_subword_prefix": prefix}
    path.write_text(json.dumps(stored), "utf-8")
    with pytest.raises(ValueError, match=f"tokenizer.json: expected .*{message}"):
        read_tokenizers_file(path)


def test_lines_are_read_where_the_file_is_another_kind(tmp_path):
    path = tmp_path / "tokenizer.json"
    rust().save(str(path))
    stored = json.loads(path.read_text("utf-8"))
    stored["model"]["type"] = "WordLevel"
    path.write_text(json.dumps(stored), "utf-8")
    with pytest.raises(ValueError, match="it is WordLevel"):
        load_light_tokenizer(tmp_path)
    Vocabulary([*SPECIAL, *PIECES]).write(tmp_path / "vocab.txt")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    with pytest.warns(UserWarning, match="it is WordLevel.*vocab.txt is read instead"):
        assert load_light_tokenizer(tmp_path).ids(["AB"]) == [[5]]
