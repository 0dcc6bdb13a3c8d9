import pathlib

import pytest

from kbert.text.vocabulary import Vocabulary, as_vocabulary

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_ids_of_bert_base_uncased():
    vocabulary = Vocabulary.read(DATA / "bert-base-uncased.txt")
    assert len(vocabulary) == 30522
    expected = {
        "here": 2182,
        "em": 7861,
        "##bed": 8270,
        "##ding": 4667,
        "##s": 2015,
        "[PAD]": 0,
        "[UNK]": 100,
        "[CLS]": 101,
        "[SEP]": 102,
        "[MASK]": 103,
    }
    assert {token: vocabulary.token_to_id(token) for token in expected} == expected
    assert all(vocabulary.id_to_token(id) == token for token, id in expected.items())
    assert vocabulary.special_ids == (0, 100, 101, 102, 103)
    assert vocabulary.token_to_id("no such token") == 100


def test_special_tokens_may_stand_anywhere_and_be_spelled_otherwise():
    vocabulary = Vocabulary(
        ["a", "<m>", "<s>", "</s>", "<u>", "<p>"],
        pad_token="<p>",
        unknown_token="<u>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<m>",
    )
    ids = (
        vocabulary.pad_id,
        vocabulary.unknown_id,
        vocabulary.cls_id,
        vocabulary.sep_id,
        vocabulary.mask_id,
    )
    assert ids == (5, 4, 2, 3, 1)
    assert vocabulary.special_ids == (1, 2, 3, 4, 5)
    assert vocabulary.special_tokens == ("<p>", "<u>", "<s>", "</s>", "<m>")
    assert Vocabulary(**vocabulary.arguments()) == vocabulary
    assert "a" in vocabulary and "b" not in vocabulary


def test_write_then_read_keeps_odd_tokens(tmp_path):
    vocabulary = Vocabulary([*SPECIAL, "\u2028", "##\u2028", "\x85", "한", "##글"])
    path = tmp_path / "vocab.txt"
    vocabulary.write(path)
    assert path.read_bytes().endswith("##글\n".encode())
    assert [p.name for p in tmp_path.iterdir()] == ["vocab.txt"]
    assert Vocabulary.read(path) == vocabulary
    assert hash(Vocabulary.read(path)) == hash(vocabulary)
    assert Vocabulary([*SPECIAL, "a"]) != vocabulary


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_are_not_tokens(tmp_path, end):
    path = tmp_path / "vocab.txt"
    separator = end or "\n"
    path.write_bytes((separator.join([*SPECIAL, "a"]) + end).encode())
    assert Vocabulary.read(path).tokens == (*SPECIAL, "a")


def test_as_vocabulary_takes_all_four(tmp_path):
    vocabulary = Vocabulary([*SPECIAL, "a"])
    path = tmp_path / "vocab.txt"
    vocabulary.write(path)
    for value in (vocabulary, path, str(path), [*SPECIAL, "a"], vocabulary.arguments()):
        assert as_vocabulary(value) == vocabulary


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        ("\n".join([*SPECIAL, "", "a"]).encode(), "line 6 is blank"),
        ("\n".join([*SPECIAL, "a", "b", "a"]).encode(), "'a' is on lines 6 and 8"),
        (b"[PAD]\n[UNK]\n\xb0\xa1\n", "line 3 is not, at byte 12"),
        (b"\r\n", "the file is empty"),
        ("\r\n".join([*SPECIAL, "", "a"]).encode(), "line 6 is blank"),
        ("\n".join([*SPECIAL, "a", "", ""]).encode(), "line 7 is blank"),
        ("\n".join([*SPECIAL, "a\r", "b", "a"]).encode(), "'a' is on lines 6 and 8"),
        ("\n".join([*SPECIAL, "[UNK]"]).encode(), r"'\[UNK\]' is on lines 2 and 6"),
        (
            "\n".join([SPECIAL[0], *SPECIAL[2:], "a"]).encode(),
            r"unknown_token '\[UNK\]'",
        ),
        ("\n".join(SPECIAL[:-1]).encode(), r"mask_token '\[MASK\]'.*mask_token=\.\.\."),
    ],
)
def test_bad_files_are_named(tmp_path, data, message):
    path = tmp_path / "bad_vocab.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"bad_vocab.txt: .*{message}"):
        Vocabulary.read(path)


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least its special tokens; got 0"):
        Vocabulary([])
    vocabulary = Vocabulary(SPECIAL)
    for id in (-1, 5):
        with pytest.raises(ValueError, match=f"from 0 to 4; got {id}"):
            vocabulary.id_to_token(id)


def test_cut():
    vocabulary = Vocabulary([*SPECIAL, "ab", "##c", "##ab"])
    assert vocabulary.cut("abc") == (["ab", "##c"], True)
    assert vocabulary.cut("abx") == (["ab"], False)
    assert vocabulary.cut("abc", starts=False) == (["##ab", "##c"], True)
    assert vocabulary.cut("") == ([], True)
