"""How numbers, scores and names are spelled."""

import pytest

from kbert.reports.wording import cut, language, number, percent, rounded, score, words


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("accuracy", 0.87654, "87.65%"),
        ("f1", 1.0, "100.00%"),
        ("exact_match", 87.654, "87.65"),
        ("pearson", 0.87654, "0.8765"),
        ("mcc", -0.5, "-0.5000"),
        ("loss", 0.25, "0.2500"),
        ("best_f1_threshold", 0.5, "0.5000"),
        ("num_examples", 1, "1"),
        ("learning_rate", 5e-05, "5e-05"),
        ("loss", -0.000123456, "-0.000123"),
        ("loss", 0.0, "0.0000"),
        ("accuracy", float("nan"), "–"),
        ("loss", float("inf"), "inf"),
    ],
)
def test_scores(name, value, shown):
    assert score(name, value) == shown


def test_numbers_and_words():
    assert [number(x) for x in (1234, 0.5, 1234.5)] == ["1,234", "0.5000", "1,234.50"]
    assert percent(0.5) == "50.00%"
    assert words("klue_character_f1") == "KLUE character F1"
    assert words("masked_lm_loss") == "masked LM loss"
    assert cut("abcdefgh", 5) == "abcde … (3 more characters)"
    assert cut("abcde", 5) == "abcde"


@pytest.mark.parametrize(
    "count, short",
    [
        (0, "0"),
        (999_999, "999,999"),
        (1_000_000, "1 M"),
        (12_345_678, "12.3 M"),
        (123_456_789_000, "123 B"),
    ],
)
def test_large_counts_are_short(count, short):
    assert rounded(count) == short


def test_korean_is_known_by_its_letters():
    assert [language(x) for x in ("Ulm 한국", "ㅠㅠ", "日本", "")] == [
        "ko",
        "ko",
        "",
        "",
    ]
