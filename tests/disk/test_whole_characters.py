"""Halves of surrogate pairs in texts: replaced one by one, so that places stay."""

import pytest

from kbert.disk.text_lines import whole_characters


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a\ud83d b", "a\ufffd b"),
        ("\udc00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00 x", "\ufffd\ufffd x"),  # two characters to Python, not one
        ("😀\ud83d", "😀\ufffd"),
        ("", ""),
    ],
)
def test_halves_of_surrogate_pairs(text, expected):
    assert whole_characters(text) == expected
    assert len(expected) == len(text)


def test_other_texts_are_the_same_object():
    text = "한국 😀"
    assert whole_characters(text) is text
