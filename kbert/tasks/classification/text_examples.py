"""Texts and their labels, from the cells of a table."""

import dataclasses
import json
import math


@dataclasses.dataclass(frozen=True)
class TextExample:
    """One text or a pair of texts, and what is to be said about it.

    Attributes:
        texts: one string, or two for a pair.
        label: the label; a tuple of them, sorted, where there may be several; a number
            for regression; None where it is not known.
    """

    texts: tuple[str, ...]
    label: str | tuple[str, ...] | float | None = None


def text_of(value, column: str, place: str) -> str:
    """A cell as text.

        >>> text_of("좋다", "text", "row 2"), text_of(12, "text", "row 2")
        ('좋다', '12')

    Args:
        value: of the cell.
        column: its name, for the error.
        place: "row 2 of dev.tsv", for the error.

    Raises:
        ValueError: null, a list or an object.
    """
    text = _word(value)
    if text is None:
        raise ValueError(
            f"Expected a text in the column {column}; {place} has {_shown(value)}."
        )
    return text


def label_of(value, column: str, place: str) -> str:
    """A cell as a label.

        >>> [label_of(cell, "label", "row 2") for cell in ("neutral", 1, True)]
        ['neutral', '1', 'true']

    Raises:
        ValueError: an empty cell, null, a list or an object.
    """
    label = _word(value)
    if not label:
        raise ValueError(
            f"Expected a label in the column {column}; {place} has {_shown(value)}."
        )
    return label


def labels_of(value, separator: str, column: str, place: str) -> tuple[str, ...]:
    """A cell as labels, sorted.

        >>> labels_of("joy, fear", ",", "labels", "row 2")
        ('fear', 'joy')
        >>> labels_of(["joy", 3], ",", "labels", "row 2")
        ('3', 'joy')

    An empty cell, and an empty list, say that none holds.

    Args:
        value: text with `separator` between the labels, or a list.

    Raises:
        ValueError: null, an object, or nothing between two separators.
    """
    if value == "":
        return ()
    parts = value
    if not isinstance(value, list | tuple):
        text = label_of(value, column, place)
        parts = [part.strip() for part in text.split(separator)]
    labels = [_word(part) for part in parts]
    if not all(labels):
        raise ValueError(
            f"Expected labels parted by {separator!r}, or a list of them, in the "
            f"column {column}; {place} has {_shown(value)}."
        )
    return tuple(sorted(set(labels)))


def number_of(value, column: str, place: str) -> float:
    """A cell as a number.

        >>> number_of("4.8", "score", "row 2")
        4.8

    Raises:
        ValueError: it is none, or not a finite one.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"Expected a finite number in the column {column}; {place} has "
            f"{_shown(value)}."
        )
    return number


def _word(value):
    """A value of a table or of JSON as a string; None if it is no single value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return None


def _shown(value):
    return "none" if value in ("", None) else repr(value)
