"""Cells of tables and of JSON as texts, labels and numbers."""

import math

import pytest

from kbert.tasks.classification.text_examples import (
    label_of,
    labels_of,
    number_of,
    text_of,
)

PLACE = ("answer", "row 2 of dev.tsv")


@pytest.mark.parametrize(
    "value, label",
    [
        ("neutral", "neutral"),
        (" a ", " a "),
        ("-", "-"),
        (1, "1"),
        (0, "0"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_one_label(value, label):
    assert label_of(value, *PLACE) == label


@pytest.mark.parametrize(
    "value, shown",
    [("", "none"), (None, "none"), (["a"], r"\['a'\]"), ({"a": 1}, "{'a': 1}")],
)
def test_no_label(value, shown):
    message = f"Expected a label in the column answer; row 2 of dev.tsv has {shown}"
    with pytest.raises(ValueError, match=message):
        label_of(value, *PLACE)


@pytest.mark.parametrize(
    "value, labels",
    [
        ("joy, fear", ("fear", "joy")),
        ("joy,joy", ("joy",)),
        ("joy", ("joy",)),
        ("", ()),
        ([], ()),
        (["joy", 3, True], ("3", "joy", "true")),
        (["a, b"], ("a, b",)),
        (3, ("3",)),
    ],
)
def test_several_labels(value, labels):
    assert labels_of(value, ",", *PLACE) == labels


def test_another_separator():
    assert labels_of("a,b|c", "|", *PLACE) == ("a,b", "c")


@pytest.mark.parametrize("value", ["a,,b", ["a", None], ["a", ["b"]], "a,"])
def test_labels_that_are_not_there(value):
    message = "Expected labels parted by ',', or a list .* column answer; row 2 of dev"
    with pytest.raises(ValueError, match=message):
        labels_of(value, ",", *PLACE)


def test_null_is_not_no_label():
    with pytest.raises(
        ValueError, match="Expected a label .* row 2 of dev.tsv has none"
    ):
        labels_of(None, ",", *PLACE)


@pytest.mark.parametrize("value, number", [("4.8", 4.8), (3, 3.0), ("-1e-2", -0.01)])
def test_numbers(value, number):
    assert number_of(value, *PLACE) == number


@pytest.mark.parametrize(
    "value, shown",
    [
        ("NaN", "'NaN'"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        ("-inf", "'-inf'"),
        ("good", "'good'"),
        ("", "none"),
        (None, "none"),
        (True, "True"),
        ([1.0], r"\[1.0\]"),
        ("9" * 9 + "e999", "'999999999e999'"),
        (10**310, "1000"),
    ],
)
def test_what_is_no_finite_number(value, shown):
    message = f"Expected a finite number in the column answer; row 2 of .* has {shown}"
    with pytest.raises(ValueError, match=message):
        number_of(value, *PLACE)


def test_texts():
    assert text_of("", *PLACE) == ""
    assert text_of(12, *PLACE) == "12"
    with pytest.raises(ValueError, match="Expected a text in the column answer; row 2"):
        text_of(None, *PLACE)
