"""F1 and Matthews correlation of classes, as functions and as Keras metrics."""

import keras
import numpy as np
from keras import ops

AVERAGES = ("macro", "micro")


def classification_scores(
    labels: np.ndarray, guesses: np.ndarray, num_classes: int
) -> dict[str, float]:
    """Scores of one guessed class each, 0 to 1; `mcc` -1 to 1.

        >>> scores = classification_scores([0, 0, 1], [0, 1, 1], num_classes=2)
        >>> {name: round(score, 3) for name, score in scores.items()}
        {'accuracy': 0.667, 'macro_f1': 0.667, 'micro_f1': 0.667, 'mcc': 0.5}

    Args:
        labels: int (N,), N at least 1.
        guesses: int (N,).
        num_classes: C; a class that is neither true nor guessed has F1 0 in the mean.
    """
    cells = np.asarray(labels, "int64") * num_classes + np.asarray(guesses, "int64")
    confusion = np.bincount(cells, minlength=num_classes**2).astype("float64")
    confusion = confusion.reshape(num_classes, num_classes)
    counts = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return {
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        **{f"{average}_f1": float(_f1(*counts, average)) for average in AVERAGES},
        "mcc": float(_matthews(confusion)),
    }


def multi_label_scores(labels: np.ndarray, guesses: np.ndarray) -> dict[str, float]:
    """Scores of any number of classes each, 0 to 1.

        >>> scores = multi_label_scores([[1, 0], [1, 1]], [[1, 0], [0, 1]])
        >>> {name: round(score, 3) for name, score in scores.items()}
        {'micro_f1': 0.8, 'macro_f1': 0.833, 'accuracy': 0.5}

    Args:
        labels: 0 or 1 (N, C), N at least 1.
        guesses: 0 or 1 (N, C).

    Returns: `accuracy` is the share of rows with every class right.
    """
    labels, guesses = np.asarray(labels, "float64"), np.asarray(guesses, "float64")
    counts = (labels * guesses).sum(axis=0), guesses.sum(axis=0), labels.sum(axis=0)
    return {
        "micro_f1": float(_f1(*counts, "micro")),
        "macro_f1": float(_f1(*counts, "macro")),
        "accuracy": float((labels == guesses).all(axis=1).mean()),
    }


@keras.saving.register_keras_serializable(package="kbert")
class F1(keras.metrics.Metric):
    """2 hits / (guessed + true): the mean over the classes, or of the sums.

    Equals scikit-learn's `f1_score(labels=range(C), average=…, zero_division=0)`. The
    state is made of counts, whose sum over batches, and over the replicas of
    `tf.distribute`, is the count of the whole.

    Updated with logits (B, C), and labels of one of two kinds:
        one class each: int (B,) or (B, 1); the guess is the highest logit;
        any number of classes: 0 or 1 (B, C), the logits' shape; a class is guessed
            where its logit is above 0, its probability above a half.
    Sample weights are (B,), or (B, C) with labels of the second kind.

    Args:
        num_classes: C; with 1 the labels are of the second kind.
        average: "macro" for the mean of the classes' F1, 0 for one that is neither
            true nor guessed; "micro" for that of all hits, guesses and truths summed.

    Raises:
        ValueError: another `average`.
    """

    def __init__(self, num_classes, average="macro", name=None, dtype=None):
        super().__init__(name=name or f"{average}_f1", dtype=dtype)
        if average not in AVERAGES:
            raise ValueError(f"average must be macro or micro; got {average!r}.")
        self.num_classes = num_classes
        self.average = average
        self.hits, self.guessed, self.true = (
            self.add_variable((num_classes,), "zeros", name=part)
            for part in ("hits", "guessed", "true")
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.convert_to_tensor(y_true)
        # By the rank: a dataset may leave the length of the axes open.
        is_one_each = len(y_true.shape) == 1 or y_true.shape[1] == 1
        if self.num_classes == 1 or not is_one_each:
            guesses = ops.cast(y_pred > 0, self.dtype)
            labels = ops.cast(ops.reshape(y_true, ops.shape(y_pred)), self.dtype)
        else:
            guesses = ops.one_hot(
                ops.argmax(y_pred, axis=-1), self.num_classes, dtype=self.dtype
            )
            labels = ops.one_hot(
                ops.reshape(ops.cast(y_true, "int32"), (-1,)),
                self.num_classes,
                dtype=self.dtype,
            )
        weights = ops.ones_like(labels)  # (B, C)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, self.dtype)
            if len(sample_weight.shape) == 1:
                sample_weight = ops.expand_dims(sample_weight, 1)
            weights = weights * sample_weight
        for variable, entries in (
            (self.hits, labels * guesses),
            (self.guessed, guesses),
            (self.true, labels),
        ):
            variable.assign(variable + ops.sum(weights * entries, axis=0))

    def result(self):
        counts = self.hits, self.guessed, self.true
        return _f1(*map(ops.convert_to_tensor, counts), self.average)

    def get_config(self):
        return {
            "num_classes": self.num_classes,
            "average": self.average,
            "name": self.name,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable(package="kbert")
class MatthewsCorrelation(keras.metrics.Metric):
    """Gorodkin's R_K, Matthews' correlation of several classes: -1 to 1.

    Equals scikit-learn's `matthews_corrcoef`: 0 where all labels, or all guesses, are
    of one class. The state is the confusion matrix, which is right across batches and
    the replicas of `tf.distribute`.

    Updated with labels int (B,) or (B, 1), logits (B, C), the highest of which is the
    guess, and sample weights (B,).

    Args:
        num_classes: C, at least 2.
    """

    def __init__(self, num_classes, name="mcc", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.confusion = self.add_variable(
            (num_classes, num_classes), "zeros", name="confusion"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))  # (B,)
        guesses = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        weights = ops.ones_like(labels, dtype=self.dtype)
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, self.dtype), (-1,))
        # A sum of segments and no matrix product: a GPU would round the weights.
        counts = ops.segment_sum(
            weights, labels * self.num_classes + guesses, self.num_classes**2
        )
        shape = (self.num_classes, self.num_classes)
        self.confusion.assign(self.confusion + ops.reshape(counts, shape))

    def result(self):
        return _matthews(ops.convert_to_tensor(self.confusion))

    def get_config(self):
        return {
            "num_classes": self.num_classes,
            "name": self.name,
            "dtype": self.dtype,
        }


def _f1(hits, guessed, true, average):
    """F1 from the counts of each class, three of (C,)."""
    if average == "micro":
        hits, guessed, true = ops.sum(hits), ops.sum(guessed), ops.sum(true)
    return ops.mean(_ratio(2 * hits, guessed + true))


def _matthews(confusion):
    """R_K from (C, C), rows true and columns guessed.

    Written with each class against the rest, hit x right rest - false x missed, so that
    nothing but what must is subtracted: float32 is enough.
    """
    total = ops.sum(confusion)
    hits, guessed, true = (
        ops.diagonal(confusion),
        ops.sum(confusion, axis=0),
        ops.sum(confusion, axis=1),
    )
    false, missed = guessed - hits, true - hits
    covariance = ops.sum(hits * (total - hits - false - missed) - false * missed)
    variances = (
        ops.sum(guessed * (total - guessed)),
        ops.sum(true * (total - true)),
    )
    return _ratio(covariance, ops.sqrt(variances[0]) * ops.sqrt(variances[1]))


def _ratio(part, whole):
    """part / whole, and 0 where the whole is 0."""
    safe = ops.where(whole > 0, whole, ops.ones_like(whole))
    return ops.where(whole > 0, part / safe, ops.zeros_like(part))
