"""What the report shows of text classifiers and of regression."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from kbert.reports.charts import scatter_chart
from kbert.reports.parts import (
    Html,
    cut,
    number,
    percent,
    section,
    table,
    tag,
)

_MATRIX = 30  # labels; a larger matrix cannot be read, and its pairs are listed
_ROOMY = 8  # labels; of larger matrices the cells have no room for shares
_PAIRS = 30  # of labels most often taken for one another
_LONGEST = 600  # characters of a text


def single_label_sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Confusion matrix, figures of each label, and the errors made most surely."""
    gold = [example.label for example in examples]
    predicted = [answer["label"] for answer in answers]
    labels = list(dict.fromkeys([*task.labels, *sorted({*gold, *predicted})]))
    counts = confusion(labels, gold, predicted)
    wrong = [i for i, pair in enumerate(zip(gold, predicted)) if pair[0] != pair[1]]
    wrong.sort(key=lambda i: -answers[i]["score"])
    items = [
        error_item(_sides(gold[i], answers[i]), *_texts(examples[i]))
        for i in wrong[:num_errors]
    ]
    return [
        _confusion_section(labels, counts),
        figures_section("Labels", "label", labels, _figures(counts)),
        errors_section(len(wrong), len(examples), "surest first", items),
    ]


def multi_label_sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Figures of each label, and the examples whose labels were missed most clearly."""
    labels = list(task.labels)
    gold = [set(example.label) for example in examples]
    predicted = [set(answer["labels"]) for answer in answers]
    figures = [
        (
            sum(label in g and label in p for g, p in zip(gold, predicted)),
            sum(label in p for p in predicted),
            sum(label in g for g in gold),
        )
        for label in labels
    ]
    wrong = [i for i, pair in enumerate(zip(gold, predicted)) if pair[0] != pair[1]]

    def distance(i):
        scores = answers[i]["scores"]
        return sum(
            abs((x in gold[i]) - scores.get(x, 0)) for x in gold[i] ^ predicted[i]
        )

    wrong.sort(key=distance, reverse=True)
    items = [
        error_item(
            _label_sets(gold[i], predicted[i], answers[i]["scores"]),
            *_texts(examples[i]),
        )
        for i in wrong[:num_errors]
    ]
    return [
        figures_section("Labels", "label", labels, figures),
        errors_section(len(wrong), len(examples), "farthest off first", items),
    ]


def regression_sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Gold against predicted numbers, and the examples that are farthest apart."""
    gold = [float(example.label) for example in examples]
    predicted = [float(answer["score"]) for answer in answers]
    differences = [p - g for g, p in zip(gold, predicted)]
    order = sorted(range(len(gold)), key=lambda i: -abs(differences[i]))
    items = []
    for i in order[:num_errors]:
        sides = (
            side("gold", "gold", f"{gold[i]:,.4g}"),
            side("wrong", "predicted", f"{predicted[i]:,.4g}"),
            side("", "difference", f"{differences[i]:+,.4g}"),
        )
        items.append(error_item(sides, *_texts(examples[i])))
    chart = scatter_chart(gold, predicted, "Predicted (upwards) against gold")
    note = f"{len(items):,} of {len(gold):,} examples, the farthest off first."
    return [
        section("Gold and predicted", chart, note="The line is where both are equal."),
        section("Largest differences", tag("ol", *items, class_="errors"), note=note),
    ]


def confusion(labels: Sequence, gold: Sequence, predicted: Sequence) -> np.ndarray:
    """Counts of (gold, predicted), int64 (labels, labels); rows are gold.

    labels a b, gold a a b, predicted a b b -> [[1, 1], [0, 1]]
    """
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), "int64")
    for pair, count in Counter(zip(gold, predicted)).items():
        counts[place[pair[0]], place[pair[1]]] = count
    return counts


def figures_section(
    title: str, name: str, labels: Sequence[str], figures: Sequence[tuple]
) -> Html:
    """Precision, recall and F1 from counts (right, predicted, gold) of each label.

    A label that was never predicted has no precision, one that never occurs no recall:
    a dash.
    """
    rows = []
    for label, (right, predicted, gold) in zip(labels, figures, strict=True):
        shares = (
            right / predicted if predicted else math.nan,
            right / gold if gold else math.nan,
            2 * right / (predicted + gold) if predicted + gold else math.nan,
        )
        rows.append((label, *map(percent, shares), number(gold), number(predicted)))
    header = (name, "precision", "recall", "F1", "gold", "predicted")
    note = "Precision: of those predicted, right ones. Recall: of the gold ones, found."
    return section(title, table(header, rows), note=note)


def errors_section(
    num_wrong: int, num_all: int, order: str, items: Sequence[Html], legend=""
) -> Html:
    """The worst errors, and how many there are in all.

    Args:
        num_wrong, num_all: examples.
        order: how the items are sorted, in words.
        items: of `error_item`.
        legend: what the marks in the texts mean.
    """
    if not num_wrong:
        return section("Errors", note=f"None in {num_all:,} examples.")
    shown = "all of them" if len(items) == num_wrong else f"{len(items):,} of them"
    note = (
        f"{num_wrong:,} of {num_all:,} examples are wrong "
        f"({percent(num_wrong / num_all)}); {shown} here, {order}."
    )
    return section("Errors", legend, tag("ol", *items, class_="errors"), note=note)


def error_item(sides: Sequence[Html], *content) -> Html:
    """One example: what was expected and what came, and the example itself."""
    return tag("li", tag("p", *sides, class_="sides"), *content)


def side(kind: str, name: str, value: str = "", score: str = "") -> Html:
    """A small field such as "gold positive 12.00%"; the kind is its colour."""
    strong = [" ", tag("b", value)] if value else []
    return tag("span", name, *strong, f" {score}" if score else "", class_=kind or None)


def _texts(example):
    """A text, or the two of a pair, each a paragraph; long ones are cut."""
    shown = [
        tag("p", cut(text, _LONGEST), class_="text", dir="auto", lang="")
        for text in example.texts
    ]
    return [tag("div", *shown, class_="pair")] if len(shown) > 1 else shown


def _sides(gold, answer):
    """Gold and predicted label, with the probabilities that the model gave them."""
    score = answer["scores"].get(gold)
    return (
        side("gold", "gold", gold, "" if score is None else percent(score)),
        side("wrong", "predicted", answer["label"], percent(answer["score"])),
    )


def _label_sets(gold, predicted, scores):
    """Labels found, missed and wrongly given; a kind without labels is left out."""
    kinds = (
        ("right", "found", gold & predicted),
        ("gold", "missed", gold - predicted),
        ("wrong", "wrong", predicted - gold),
    )
    return [
        side(kind, name, label, percent(scores[label]) if label in scores else "")
        for kind, name, labels in kinds
        for label in sorted(labels)
    ]


def _figures(counts):
    right, predicted, gold = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    return list(zip(right.tolist(), predicted.tolist(), gold.tolist(), strict=True))


def _confusion_section(labels, counts):
    if len(labels) > _MATRIX:
        return _pairs_section(labels, counts)
    is_wide = len(labels) > _ROOMY
    head = [tag("th", tag("span", label), scope="col") for label in labels]
    rows = [tag("tr", tag("th", "gold ↓ predicted →", class_="corner"), *head)]
    for i, label in enumerate(labels):
        total = max(1, int(counts[i].sum()))
        cells = [
            _cell(int(count), int(count) / total, i == j, is_wide)
            for j, count in enumerate(counts[i])
        ]
        rows.append(tag("tr", tag("th", label, scope="row"), *cells))
    kind = "confusion wide" if is_wide else "confusion"
    matrix = tag("div", tag("table", *rows, class_=kind), class_="scroll", tabindex="0")
    note = (
        "Rows are gold labels, columns predicted ones; the shade is the share of a row."
    )
    return section("Confusion matrix", matrix, note=note)


def _cell(count, share, is_right, is_wide):
    kinds = ["right" if is_right else "wrong"]
    kinds += ["deep"] * (share > 0.5) + ["none"] * (not count)
    return tag(
        "td",
        number(count),
        "" if is_wide or not count else tag("small", f"{share:.1%}"),
        class_=" ".join(kinds),
        style=f"--share:{share:.3f}",
        title=f"{share:.1%}",
    )


def _pairs_section(labels, counts):
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
    return section("Confused labels", table(header, rows, texts=2), note=note)
