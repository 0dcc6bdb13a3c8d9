import json
import unicodedata

import pytest
import tokenizers

from kbert.text.characters import (
    CODEPOINTS,
    GOOGLE_RULES,
    HUGGINGFACE_TABLES,
    character_rules,
    in_canonical_order,
    replacements,
)

RUST = character_rules("huggingface")


def test_replacements():
    uncased = replacements(True, True, True, "google")
    expected = {
        "É": "e",
        "!": " ! ",
        "字": " 字 ",
        "\u200b": "",
        "\u00a0": " ",
        "각": "\u1100\u1161\u11a8",
        "\u0301": "",
        "İ": "i",
        "\u226e": " < ",  # "<" with a stroke, which NFD takes apart
        "Σ": "σ",
    }
    assert {c: uncased[c] for c in expected} == expected
    assert not {"a", "ß", "ﬁ", "①", "가\u3042"} & set(uncased)
    cased = replacements(False, False, False, "google")
    assert not {"É", "字", "각", "\u0301"} & set(cased)
    assert cased["!"] == " ! "


def test_replacements_that_keep_accents():
    table = replacements(True, True, True, "google", keeps_accents=True)
    assert table["É"] == "e\u0301" and "!" not in table and table["\u200b"] == ""


def test_nothing_lives_in_the_planes_left_out():
    planes = map(chr, range(0x40000, 0xE0000))
    assert not any(unicodedata.category(c) != "Cn" for c in planes)
    assert len(CODEPOINTS) == 0x110000 - 0x800 - 0xA0000


@pytest.mark.parametrize(
    "character, deleted, whitespace, punctuation, accent",
    [
        ("\ue000", (False, True), (False, False), (False, False), (False, False)),
        ("\u08e2", (True, False), (False, False), (False, False), (False, False)),
        ("\u166d", (False, False), (False, False), (False, True), (False, False)),
        ("\u2e5d", (False, False), (False, False), (True, False), (False, False)),
        ("\u0898", (False, False), (False, False), (False, False), (True, False)),
        ("\u3000", (False, False), (True, True), (False, False), (False, False)),
    ],
)
def test_where_the_editions_differ(character, deleted, whitespace, punctuation, accent):
    if unicodedata.category(character) == "Cn":
        pytest.skip("this Python's Unicode does not have the character")
    editions = GOOGLE_RULES, RUST
    assert tuple(r.is_deleted(character) for r in editions) == deleted
    assert tuple(r.is_whitespace(character) for r in editions) == whitespace
    assert tuple(r.is_punctuation(character) for r in editions) == punctuation
    assert tuple(r.is_accent(character) for r in editions) == accent


def test_huggingface_lowers_late_and_without_context():
    assert not RUST.lowers_first and RUST.lower("ΑΣ İ") == "ασ i\u0307"
    assert not RUST.is_cjk("\U0002b820") and GOOGLE_RULES.is_cjk("\U0002b820")


def test_canonical_order():
    combining = unicodedata.combining
    assert in_canonical_order("a\u0301\u0323b\u0301", combining) == (
        "a\u0323\u0301b\u0301"
    )
    # Equal classes keep their order; a character of class 0 parts two runs.
    for text in ("\u0301\u0300", "\u0323\u0301a\u0345\u0301", "\u0345\u034f\u0301"):
        assert in_canonical_order(text, combining) == unicodedata.normalize("NFD", text)


def test_tables_are_those_of_the_library():
    """Rules of every character, asked of the Rust library that is installed."""
    made_with = json.loads(HUGGINGFACE_TABLES.read_text("utf-8"))["made_with"]
    why = f"{made_with}, here {tokenizers.__version__}: make the tables anew"

    def normalizer(**on):
        off = {"clean_text": False, "handle_chinese_chars": False}
        off |= {"strip_accents": False, "lowercase": False}
        return tokenizers.normalizers.BertNormalizer(**(off | on)).normalize_str

    clean, lower = normalizer(clean_text=True), normalizer(lowercase=True)
    strip, cjk = normalizer(strip_accents=True), normalizer(handle_chinese_chars=True)
    for c in map(chr, CODEPOINTS):
        cleaned = "" if RUST.is_deleted(c) else " " if RUST.is_whitespace(c) else c
        assert cleaned == clean(c), (ascii(c), why)
        assert RUST.lower(c) == lower(c), (ascii(c), why)
        kept = "".join(d for d in RUST.decompose(c) if not RUST.is_accent(d))
        assert kept == strip(c), (ascii(c), why)
        assert (f" {c} " if RUST.is_cjk(c) else c) == cjk(c), (ascii(c), why)


def test_unknown_compatibility():
    with pytest.raises(ValueError, match='"google" or "huggingface"; got \'rust\''):
        character_rules("rust")
