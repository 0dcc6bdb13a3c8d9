"""What the report shows of text classifiers that give any number of labels."""

from kbert.reports.classification import texts
from kbert.reports.sections import Example, Side, errors, figures
from kbert.reports.wording import percent

TITLE = "Multi-label classification"


def sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Figures of each label, and the examples whose labels were missed most clearly."""
    labels = list(task.labels)
    gold = [set(example.label) for example in examples]
    predicted = [set(answer["labels"]) for answer in answers]
    counts = [
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
    shown = [
        Example(
            _sides(gold[i], predicted[i], answers[i]["scores"]),
            texts=texts(examples[i]),
        )
        for i in wrong[:num_errors]
    ]
    return [
        figures("Labels", "label", labels, counts),
        errors(len(wrong), len(examples), "farthest off first", shown),
    ]


def _sides(gold, predicted, scores):
    """Labels found, missed and wrongly given; a kind without labels is left out."""
    kinds = (
        ("right", "found", gold & predicted),
        ("gold", "missed", gold - predicted),
        ("wrong", "wrong", predicted - gold),
    )
    return [
        Side(kind, name, label, percent(scores[label]) if label in scores else "")
        for kind, name, labels in kinds
        for label in sorted(labels)
    ]
