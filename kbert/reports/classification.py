"""What the report shows of text classifiers that choose one label."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kbert.reports.excerpts import Piece
from kbert.reports.sections import (
    ConfusionMatrix,
    Example,
    Side,
    Table,
    errors,
    figures,
)
from kbert.reports.wording import cut, number, percent

TITLE = "Text classification"

_MATRIX = 30  # labels; a larger matrix cannot be read, and its pairs are listed
_ROOMY = 8  # labels; of larger matrices the cells have no room for shares
_PAIRS = 30  # of labels most often taken for one another
_LONGEST = 600  # characters of a text


def sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Confusion matrix, figures of each label, and the errors made most surely."""
    gold = [example.label for example in examples]
    predicted = [answer["label"] for answer in answers]
    labels = list(dict.fromkeys([*task.labels, *sorted({*gold, *predicted})]))
    counts = confusion(labels, gold, predicted)
    wrong = [i for i, pair in enumerate(zip(gold, predicted)) if pair[0] != pair[1]]
    wrong.sort(key=lambda i: -answers[i]["score"])
    shown = [
        Example(_sides(gold[i], answers[i]), texts=texts(examples[i]))
        for i in wrong[:num_errors]
    ]
    confused = _matrix if len(labels) <= _MATRIX else _pairs
    return [
        confused(labels, counts),
        figures("Labels", "label", labels, _counts_of_labels(counts)),
        errors(len(wrong), len(examples), "surest first", shown),
    ]


def confusion(labels: Sequence, gold: Sequence, predicted: Sequence) -> np.ndarray:
    """Counts of (gold, predicted), int64 (labels, labels); rows are gold.

    >>> confusion(["a", "b"], gold=["a", "a", "b"], predicted=["a", "b", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), "int64")
    for pair, count in Counter(zip(gold, predicted)).items():
        counts[place[pair[0]], place[pair[1]]] = count
    return counts


def texts(example) -> list[list[Piece]]:
    """A text, or the two of a pair; long ones are cut."""
    return [[Piece(cut(text, _LONGEST))] for text in example.texts]


def _sides(gold, answer):
    """Gold and predicted label, with the probabilities that the model gave them."""
    score = answer["scores"].get(gold)
    return (
        Side("gold", "gold", gold, "" if score is None else percent(score)),
        Side("wrong", "predicted", answer["label"], percent(answer["score"])),
    )


def _counts_of_labels(counts):
    """(right, predicted, gold) of each label, as `figures` takes them."""
    right, predicted, gold = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    return list(zip(right.tolist(), predicted.tolist(), gold.tolist(), strict=True))


def _matrix(labels, counts):
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return ConfusionMatrix(
        "Confusion matrix",
        labels,
        counts.tolist(),
        shares.tolist(),
        is_wide=len(labels) > _ROOMY,
        note="Rows are gold labels, columns predicted ones; the shade is the share of "
        "a row.",
    )


def _pairs(labels, counts):
    """Pairs of labels, those taken for one another most often first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    rows = []
    for i, j in zip(*np.unravel_index(order, wrong.shape)):
        if count := int(wrong[i, j]):
            share = percent(count / int(counts[i].sum()))
            rows.append((labels[i], labels[j], number(count), share))
    header = ("gold", "predicted", "examples", "of the gold label")
    note = f"{len(labels)} labels: the pairs most often confused, in place of a matrix."
    return Table("Confused labels", header, rows, note, num_texts=2)
