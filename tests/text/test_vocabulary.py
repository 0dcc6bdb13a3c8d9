import json
import pathlib
import warnings

import pytest

from kbert.text.added_tokens import AddedToken
from kbert.text.vocabulary import Vocabulary, as_vocabulary, blank_token

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
        (b"[PAD]\n[UNK]\n\xb0\xa1\n", "line 3 is not, at byte 12"),
        (b"\r\n", "the file is empty"),
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


@pytest.mark.parametrize(
    "text, warning",
    [
        ("{}\n\na\n", "line 6 is blank"),
        ("{}\n  \n\na\n", "2 lines are blank, the first of them line 6"),
        ("{}\na\nb\na\n", r"there again on line 8 \('a'\): the last one counts"),
        ("{}\na\r\nb\r\na", r"there again on line 8 \('a'\)"),
        ("{}\n[UNK]\na", r"there again on line 6 \('\[UNK\]'\)"),
        ("{}\n \u3000a\t\nb \nc", r"white space around 2 tokens .* line 6 \('a'\)"),
        ("\ufeff{}\na", "a byte order mark is dropped"),
        ("\ufeff{}\n\na\na ", "mark is dropped; line 6 is blank; white.*again on"),
    ],
)
def test_odd_files_have_the_ids_of_googles_loader(tmp_path, text, warning):
    path = tmp_path / "odd_vocab.txt"
    path.write_bytes(text.format("\n".join(SPECIAL)).encode())
    with pytest.warns(UserWarning, match=f"odd_vocab.txt: .*{warning}.*keeps its id"):
        vocabulary = Vocabulary.read(path)
    theirs = google_ids(path)
    assert {t: vocabulary.token_to_id(t) for t in theirs} == theirs
    # What no text gives is neither predicted nor part of a text, and can be written.
    blank = set(range(len(vocabulary))) - set(theirs.values())
    assert {vocabulary.id_to_token(i) for i in blank} == {f"[blank {i}]" for i in blank}
    assert blank <= set(vocabulary.special_ids)
    assert [i for i, t in enumerate(vocabulary.pieces) if t == blank_token(i)] == (
        sorted(blank)
    )
    vocabulary.write(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Vocabulary.read(path) == vocabulary


def google_ids(path):
    """As google-research/bert's `load_vocab` counts; the mark is not its business."""
    ids = {}
    for id, line in enumerate(path.read_text("utf-8-sig").split("\n")):
        ids[line.strip()] = id
    ids.pop("", None)
    return ids


def test_published_files_are_not_odd(tmp_path):
    path = tmp_path / "vocab.txt"
    rare = ["##\u3000", "\u2028", "##\u2028", "\u00a0"]  # Google's Chinese file has one
    path.write_text("\n".join([*SPECIAL, *rare, "a", "", ""]), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Vocabulary.read(path).tokens == (*SPECIAL, *rare, "a")


def test_added_tokens():
    tokens = [*SPECIAL, "a", "<e>", "</e>", "url"]
    added = ["<e>", {"content": "</e>", "special": True, "is_piece": False}, "[MASK]"]
    vocabulary = Vocabulary(tokens, added_tokens=added)
    assert vocabulary.added_tokens == (
        AddedToken("<e>"),
        AddedToken("</e>", special=True, is_piece=False),
    )
    assert vocabulary.special_ids == (0, 1, 2, 3, 4, 7)
    assert vocabulary.pieces[5:] == ("a", "<e>", "[blank 7]", "url")
    assert vocabulary.cut("</e>") == ([], False)
    again = as_vocabulary(json.loads(json.dumps(vocabulary.arguments())))
    assert again == vocabulary and hash(again) == hash(vocabulary)
    assert again != Vocabulary(tokens) and again != Vocabulary(tokens, added_tokens=())


def test_pieces_alone_are_written(tmp_path):
    behind = [{"content": t, "is_piece": False} for t in ("<e>", "<f>")]
    vocabulary = Vocabulary([*SPECIAL, "<f>", "a", "<e>"], added_tokens=behind)
    vocabulary.write_pieces(tmp_path / "vocab.txt")
    lines = (tmp_path / "vocab.txt").read_text("utf-8").split("\n")
    assert lines == [*SPECIAL, "[blank 5]", "a", ""]


def test_bad_added_tokens():
    for added, message in (
        (["<e>"], "added token '<e>' must have a place in the vocabulary"),
        ("<e>", "must be a list of tokens; got the string '<e>'"),
        ([""], "a string of characters; got ''"),
        ([{"special": True}], "a string of characters; got None"),
        ([7], "a string of characters; got 7"),
        (["a\x01"], r"no control characters, which texts lose; got 'a\\x01'"),
        ([{"content": "a", "special": "yes"}], "true or false for special.*'yes'"),
    ):
        with pytest.raises(ValueError, match=message):
            Vocabulary([*SPECIAL, "a"], added_tokens=added)


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
