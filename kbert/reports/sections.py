"""What a report is made of: plain data, each kind of section with its template."""

import dataclasses
import math
from collections.abc import Sequence

from kbert.reports.charts import Chart
from kbert.reports.excerpts import Piece
from kbert.reports.wording import number, percent


@dataclasses.dataclass(frozen=True)
class Card:
    """A figure in large digits under its name; the main one stands out."""

    name: str
    value: str
    note: str = ""
    is_main: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first `num_texts` columns are words, the others numbers."""

    template = "table.html"

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    num_texts: int = 1


@dataclasses.dataclass(frozen=True)
class Charts:
    """Charts side by side."""

    template = "charts.html"

    title: str
    charts: Sequence[Chart]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix:
    """How often each label was taken for each.

    Attributes:
        labels: of the rows, which are gold, and of the columns.
        counts: examples, (labels, labels).
        shares: the same as shares of a row, 0 to 1.
        is_wide: so many labels that the cells have no room for shares.
    """

    template = "confusion.html"

    title: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    shares: Sequence[Sequence[float]]
    is_wide: bool
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Side:
    """A small field such as "gold positive 12.00%"; the kind is its colour."""

    kind: str
    name: str
    value: str = ""
    score: str = ""


@dataclasses.dataclass(frozen=True)
class Example:
    """One example: what was expected and what came, and its texts.

    Attributes:
        sides: fields above the texts.
        title: where it is from.
        question: what is asked of it.
        texts: one, or several that belong together.
        lines: (name, text), such as the gold and the predicted reading of a text.
    """

    sides: Sequence[Side]
    title: str = ""
    question: str = ""
    texts: Sequence[Sequence[Piece]] = ()
    lines: Sequence[tuple[str, Sequence[Piece]]] = ()


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples one below the other.

    Attributes:
        legend: (kind, meaning) of the marks in the texts.
    """

    template = "examples.html"

    title: str
    examples: Sequence[Example]
    note: str = ""
    legend: Sequence[tuple[str, str]] = ()


def figures(
    title: str, name: str, labels: Sequence[str], counts: Sequence[tuple]
) -> Table:
    """Precision, recall and F1 from counts (right, predicted, gold) of each label.

    A label that was never predicted has no precision, one that never occurs no recall:
    a dash.
    """
    rows = []
    for label, (right, predicted, gold) in zip(labels, counts, strict=True):
        shares = (
            right / predicted if predicted else math.nan,
            right / gold if gold else math.nan,
            2 * right / (predicted + gold) if predicted + gold else math.nan,
        )
        rows.append((label, *map(percent, shares), number(gold), number(predicted)))
    header = (name, "precision", "recall", "F1", "gold", "predicted")
    note = "Precision: of those predicted, right ones. Recall: of the gold ones, found."
    return Table(title, header, rows, note)


def errors(
    num_wrong: int,
    num_all: int,
    order: str,
    examples: Sequence[Example],
    legend: Sequence[tuple[str, str]] = (),
) -> Examples:
    """The worst errors, and how many there are in all.

    Args:
        num_wrong, num_all: examples.
        order: how the examples are sorted, in words.
        examples: what is shown of the wrong ones.
        legend: see `Examples`.
    """
    if not num_wrong:
        return Examples("Errors", (), f"None in {num_all:,} examples.")
    shown = (
        "all of them" if len(examples) == num_wrong else f"{len(examples):,} of them"
    )
    note = (
        f"{num_wrong:,} of {num_all:,} examples are wrong "
        f"({percent(num_wrong / num_all)}); {shown} here, {order}."
    )
    return Examples("Errors", examples, note, legend)
