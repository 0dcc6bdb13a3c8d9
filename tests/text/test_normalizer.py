"""Text before WordPiece; the whole of Unicode, and what no table of it can say."""

import itertools
import unicodedata

import pytest
import tensorflow as tf
import tokenizers

from kbert.text.characters import CODEPOINTS
from kbert.text.normalizer import Normalizer, characters_at
from kbert.text.reference_tokenizer import ReferenceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNCASED = (True, True, True, "google")


def words(normalizer, texts):
    return [line.decode().split() for line in normalizer(tf.constant(texts)).numpy()]


def reference_words(settings, texts):
    lowercase, strip_accents, split_on_cjk, compatibility = settings
    reference = ReferenceTokenizer(
        SPECIAL, lowercase, strip_accents, split_on_cjk, compatibility=compatibility
    )
    return [reference.words(text) for text in texts]


@pytest.mark.parametrize(
    "settings",
    [
        UNCASED,
        (False, False, True, "google"),
        (True, True, True, "huggingface"),
        (True, False, False, "huggingface"),
    ],
)
def test_every_character(settings):
    texts = [f"가{chr(c)}b" for c in CODEPOINTS if c < 0xF1000 or c % 97 == 0]
    expected = reference_words(settings, texts)
    assert words(Normalizer(*settings), texts) == expected
    if settings[3] == "huggingface":
        rust = tokenizers.normalizers.BertNormalizer(
            lowercase=settings[0],
            strip_accents=settings[1],
            handle_chinese_chars=settings[2],
        )
        cut = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
        theirs = ([w for w, _ in cut(rust.normalize_str(text))] for text in texts)
        for text, ours, other in zip(texts, expected, theirs, strict=True):
            assert ours == other, ascii(text)


def test_every_sigma():
    """Up to six of letters, sigmas, and what a sigma looks past or stops at."""
    letters = "ΣΑ\u00ad'\x01 "
    texts = [
        "".join(text)
        for n in range(1, 6)
        for text in itertools.product(letters, repeat=n)
    ]
    assert words(Normalizer(*UNCASED), texts) == reference_words(UNCASED, texts)
    assert words(Normalizer(*UNCASED), ["ΑΣ ΑΣΑ ΑΣ字 ΣΣ"]) == [
        ["ας", "ασα", "ας", "字", "σς"]
    ]


def test_accents_out_of_order():
    # U+302E (class 224) and U+1BF2 (class 9) stay: they are no Mn; U+0301 is dropped.
    text = "a\u302e\u1bf2\u0301b \u302e\u0301\U0001d15e\u1bf2"
    (got,) = words(Normalizer(*UNCASED), [text])
    decomposed = unicodedata.normalize("NFD", text)
    kept = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    assert got == kept.split() and got[0] == "a\u1bf2\u302eb"
    marks = "\u302e\u1bf2\u0301\u034f\U0001d16d\U0001d165a\u200b "
    texts = ["".join(t) for n in (2, 3, 4) for t in itertools.permutations(marks, n)]
    for settings in (UNCASED, (True, True, True, "huggingface")):
        assert words(Normalizer(*settings), texts) == reference_words(settings, texts)


@pytest.mark.parametrize(
    "data",
    [
        b"a\xffb",
        b"\xe3\x81",
        b"\xf0\x9f\x98 x",
        b"\xed\xa0\x80y",  # a surrogate
        b"\xc0\x80z",  # too long a form
        b"\xf4\x90\x80\x80",
        "가".encode() + b"\x80\x80" + "나".encode(),
    ],
)
def test_invalid_utf8_is_replaced_and_so_deleted(data):
    for settings in (UNCASED, (False, False, True, "huggingface")):
        replaced = data.decode("utf-8", errors="replace")
        normalizer = Normalizer(*settings)
        assert words(normalizer, [data]) == reference_words(settings, [replaced])
        _, sources = normalizer.with_offsets(tf.constant([data]))
        # Places are those in the text as Python decodes it.
        for place in sources.to_list()[0]:
            assert place < len(replaced) and replaced[place] != "\ufffd"


def test_punctuation_left_where_it_stands():
    whole = Normalizer(*UNCASED, splits_punctuation=False)
    assert words(whole, ["É! <B>字c"]) == [["e!", "<b>", "字", "c"]]
    assert words(Normalizer(*UNCASED), ["<B>"]) == [["<", "b", ">"]]


def nfd(text):
    return text if text.startswith("[") else unicodedata.normalize("NFD", text)


def test_offsets():
    text, sources = Normalizer(*UNCASED).with_offsets(tf.constant(["aÉ\u200b각!", ""]))
    assert text.numpy().tolist() == ["ae각 ! ".replace("각", nfd("각")).encode(), b""]
    assert sources.to_list() == [[0, 1, *[3] * 9, 4, 4, 4], []]


def test_characters_at():
    offsets = tf.ragged.constant([[0, 1, 2, 4], [], [1]], dtype=tf.int64)
    got = characters_at(tf.constant(["a가b", "xyz", "xyz"]), offsets)
    assert got.to_list() == [[0, 1, 1, 2], [], [1]]
    empty = tf.ragged.constant([[]], dtype=tf.int64)
    assert characters_at(tf.constant([""]), empty).to_list() == [[]]
