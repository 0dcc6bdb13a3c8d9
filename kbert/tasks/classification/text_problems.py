"""One label, several labels, a number: what is asked about a text.

Three classes without a state, one for each `problem_type` of transformers. They have in
common:

    metrics                     scores to choose a model by; the first is the default
    gold(value, separator, column, place)  an example's label from a cell
    labels_in(golds)            the labels that occur
    check(gold, labels, place)  ValueError if it is none that the model can learn
    targets(golds, labels)      array for the loss, rows first
    compile_arguments(labels)   loss and metric for `model.compile`
    answers(logits, labels)     one dict for each row
    scores(answers, golds, labels)
    floors(golds, labels)       each metric of the best constant answer

Keras and the metrics, which need it, are imported where they are used: arguments are
checked, and files read, before.
"""

import math

import numpy as np

from kbert.tasks.classification.text_examples import label_of, labels_of, number_of

_TINY = 1e-30  # the least probability whose logarithm is taken


class SingleLabel:
    """One label out of several: int32 targets (rows,), logits (rows, C)."""

    metrics = ("accuracy", "macro_f1", "micro_f1", "mcc")

    def gold(self, value, separator, column, place):
        return label_of(value, column, place)

    def labels_in(self, golds):
        return set(golds)

    def check(self, gold, labels, place):
        _check_known([gold], labels, place)

    def targets(self, golds, labels):
        classes = {label: i for i, label in enumerate(labels)}
        return np.array([classes[gold] for gold in golds], "int32")

    def compile_arguments(self, labels):
        import keras

        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def answers(self, logits, labels):
        """One dict for each row, of its likeliest label and all probabilities.

        >>> SingleLabel().answers([[0, 1.1]], ("a", "b"))
        [{'label': 'b', 'score': 0.75..., 'scores': {'a': 0.24..., 'b': 0.75...}}]
        """
        logits = np.asarray(logits, "float64")
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows = powers / powers.sum(axis=1, keepdims=True)  # (rows, C)
        return [
            {
                "label": labels[int(row.argmax())],
                "score": float(row.max()),
                "scores": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in rows
        ]

    def scores(self, answers, golds, labels):
        from kbert.metrics.classification import classification_scores

        true = self.targets(golds, labels)
        guesses = self.targets([answer["label"] for answer in answers], labels)
        own = [a["scores"][gold] for a, gold in zip(answers, golds, strict=True)]
        return {
            **classification_scores(true, guesses, len(labels)),
            "loss": float(-np.log(np.maximum(own, _TINY)).mean()),
        }

    def floors(self, golds, labels):
        from kbert.metrics.classification import classification_scores

        true = self.targets(golds, labels)
        majority = np.full_like(true, np.bincount(true).argmax())
        return classification_scores(true, majority, len(labels))


class MultiLabel:
    """Any number of labels: float32 targets 0 or 1 (rows, C), logits (rows, C)."""

    metrics = ("micro_f1", "macro_f1", "accuracy")

    def gold(self, value, separator, column, place):
        return labels_of(value, separator, column, place)

    def labels_in(self, golds):
        return set().union(*golds)

    def check(self, gold, labels, place):
        _check_known(gold, labels, place)

    def targets(self, golds, labels):
        classes = {label: i for i, label in enumerate(labels)}
        targets = np.zeros((len(golds), len(labels)), "float32")
        for row, gold in zip(targets, golds, strict=True):
            row[[classes[label] for label in gold]] = 1
        return targets

    def compile_arguments(self, labels):
        import keras

        from kbert.metrics.classification import F1

        return {
            "loss": keras.losses.BinaryCrossentropy(from_logits=True),
            "metrics": [F1(len(labels), "micro")],
        }

    def answers(self, logits, labels):
        """One dict for each row, of its labels and all probabilities.

        >>> MultiLabel().answers([[1.1, -1.1]], ("a", "b"))
        [{'labels': ['a'], 'scores': {'a': 0.75..., 'b': 0.24...}}]
        """
        # By the hyperbolic tangent, which does not overflow.
        rows = (1 + np.tanh(np.asarray(logits, "float64") / 2)) / 2
        return [
            {
                "labels": [label for label, p in zip(labels, row) if p > 0.5],
                "scores": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in rows
        ]

    def scores(self, answers, golds, labels):
        from kbert.metrics.classification import multi_label_scores

        true = self.targets(golds, labels)
        guesses = self.targets([answer["labels"] for answer in answers], labels)
        own = np.array([[a["scores"][label] for label in labels] for a in answers])
        own = np.where(true == 1, own, 1 - own)  # of what is so
        return {
            **multi_label_scores(true, guesses),
            "loss": float(-np.log(np.maximum(own, _TINY)).mean()),
        }

    def floors(self, golds, labels):
        """Each metric has a best constant of its own."""
        true = self.targets(golds, labels).astype("float64")
        rows, counts = len(true), np.sort(true.sum(axis=0))[::-1]
        said = np.arange(1, len(labels) + 1) * rows  # the commonest 1, 2, … labels
        _, same = np.unique(true, axis=0, return_counts=True)
        return {
            "micro_f1": float((2 * counts.cumsum() / (said + counts.sum())).max()),
            "macro_f1": float((2 * counts / (rows + counts)).mean()),
            "accuracy": float(same.max() / rows),
        }


class Regression:
    """A number: float32 targets (rows, 1), outputs (rows, 1), no labels."""

    metrics = ("pearson", "spearman")

    def gold(self, value, separator, column, place):
        return number_of(value, column, place)

    def labels_in(self, golds):
        return set()

    def check(self, gold, labels, place):
        if not math.isfinite(gold):
            raise ValueError(f"Expected a finite number; {place} says {gold}.")

    def targets(self, golds, labels):
        return np.array(golds, "float32")[:, None]

    def compile_arguments(self, labels):
        import keras

        from kbert.metrics.correlation import PearsonCorrelation

        return {
            "loss": keras.losses.MeanSquaredError(),
            "metrics": [PearsonCorrelation()],
        }

    def answers(self, logits, labels):
        return [{"score": float(row[0])} for row in logits]

    def scores(self, answers, golds, labels):
        from kbert.metrics.correlation import pearson, spearman

        guesses = np.array([answer["score"] for answer in answers])
        true = np.array(golds, "float64")
        return {
            "pearson": pearson(true, guesses),
            "spearman": spearman(true, guesses),
            "mse": float(((true - guesses) ** 2).mean()),
        }

    def floors(self, golds, labels):
        return dict.fromkeys(self.metrics, 0.0)


PROBLEMS = {
    "single_label_classification": SingleLabel(),
    "multi_label_classification": MultiLabel(),
    "regression": Regression(),
}


def _check_known(found, labels, place):
    for label in found:
        if label not in labels:
            raise ValueError(
                f"Expected one of the labels of training ({', '.join(labels)}); "
                f"{place} says {label!r}."
            )
