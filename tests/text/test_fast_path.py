"""The short way gives the ids of the long one, or says that it does not."""

import random

import pytest
import tensorflow as tf

from kbert.text.characters import CODEPOINTS, replacements
from kbert.text.fast_path import FastPath, _joined, _split_there
from kbert.text.normalizer import special_characters
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [
    "a",
    "##a",
    "b",
    "##b",
    "가",
    "##가",
    "字",
    "!",
    "##!",
    "ς",
    "##ς",
    "##σ",
    "α",
]


def fast_path(compatibility="google", lowercase=True, longest_word=200, tokens=()):
    tokenizer = ReferenceTokenizer(
        [*SPECIAL, *LETTERS, *tokens],
        lowercase,
        False,
        max_characters_per_word=longest_word,
        compatibility=compatibility,
    )
    fast = FastPath(tokenizer.vocabulary, lowercase, False, compatibility, longest_word)
    return fast, tokenizer


@pytest.mark.parametrize("compatibility", ["google", "huggingface"])
def test_each_character_is_exact_or_known_not_to_be(compatibility):
    """In a word whose other letters are tokens, and some are themselves."""
    known = {"\u2e5d", "\U0002b820", "\ue000", "\u0345", "\U0001f600"}
    extra = [piece for c in known for piece in (c, f"##{c}")]
    fast, reference = fast_path(compatibility, tokens=extra)
    table = replacements(True, False, True, compatibility)
    marked = special_characters(True, False, compatibility) | _split_there(table)
    assert 30 < len(marked) < 1000
    for c in sorted(marked):
        assert not fast(tf.constant([f"a{c}b"]))[1], ascii(c)
    texts = [f"a{chr(c)}b 가{chr(c)}" for c in CODEPOINTS if c < 0x32000 or c % 61 == 0]
    texts = [text for text in texts if text[1] not in marked | {fast._stand_in}]
    ids, exact = fast(tf.constant(texts))
    assert exact
    assert ids.to_list() == reference(texts)


@pytest.mark.parametrize(
    "text, exact",
    [
        ("ab !b 字b", True),
        ("ab? xyz", True),  # unknown, but plain
        ("αΣ", False),
        (b"a\xffb", False),
        ("a\ue000b", False),  # the stand-in itself
        ("a" * 200, True),
        ("a" * 201, False),
        ("가" * 200 + " b", True),
        ("b " + "가" * 201 + " b", False),
        ("x" * 201, False),
        ("ab " * 100, True),
        ("", True),
    ],
)
def test_what_is_exact(text, exact):
    fast, reference = fast_path()
    ids, got = fast(tf.constant([text, "ab"]))
    assert bool(got) == exact
    if exact:
        assert ids.to_list() == reference([text, "ab"])


def test_the_stand_in_is_of_no_token():
    fast, _ = fast_path(tokens=["\ue000", "##\ue001"])
    assert fast._stand_in == "\ue002"


def test_random_batches():
    """Mixed batches: whatever way each goes, the ids are the reference's."""
    draw = random.Random(1)
    letters = "aab 가가!字Σασ x\u0301\ue000\u200b"
    for options in (
        {},
        {"lowercase": True},
        {"lowercase": True, "strip_accents": False},
    ):
        options |= {"max_characters_per_word": 6}
        tokens = [*SPECIAL, *LETTERS, "##α", "x", "ᄀ", "##ᅡ"]
        tokenizer = BertTokenizer(tokens, **options)
        reference = ReferenceTokenizer(tokens, **options)
        assert tokenizer._fast_path is not None
        for _ in range(60):
            count, alphabet = draw.randint(1, 4), draw.choice([letters[:12], letters])
            texts = ["".join(draw.choices(alphabet, k=12)) for _ in range(count)]
            assert tokenizer(texts).to_list() == reference(texts)


def test_no_fast_path_where_it_cannot_be_right():
    for options in (
        {"split_on_cjk": False},
        {"max_characters_per_word": 1000},
    ):
        assert BertTokenizer([*SPECIAL, "a"], **options)._fast_path is None


def test_joined():
    assert _joined("e") == {"e"} and _joined(" ! ") == _joined("") == set()
    assert _joined("a = bc d") == {"a", "b", "c", "d"}
    found = _split_there(replacements(False, False, True, "huggingface"))
    assert "\U0002b820" in found and "!" not in found and "字" not in found
