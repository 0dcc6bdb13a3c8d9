"""Pearson's and Spearman's correlation, as functions and as Keras metrics.

Neither is a mean over batches, nor a formula of plain sums that float32 could hold. So
each replica of `tf.distribute` keeps a state in places of its own, zero elsewhere, and
the sum over the replicas, which is what Keras reads, holds the states of all.
"""

import functools

import keras
import numpy as np
from keras import ops


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of a and b, two of (N,): -1 to 1.

        >>> round(pearson([1, 2, 3], [1, 2, 4]), 3)
        0.982

    0 where one of them is constant (scipy says nan): a constant tells nothing.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    # The first value goes first: of a constant then not even rounding is left.
    a, b = a - a[0], b - b[0]
    a, b = a - a.mean(), b - b.mean()
    return float(_correlation((a * a).sum(), (b * b).sum(), (a * b).sum()))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of the ranks; equal values share the mean of theirs.

    >>> round(spearman([10, 20, 30], [5, 9, 9]), 3)  # of 1 2 3 and 1 2.5 2.5
    0.866
    """
    return pearson(*(_ranks(np.asarray(x, "float64")) for x in (a, b)))


@keras.saving.register_keras_serializable(package="kbert")
class PearsonCorrelation(keras.metrics.Metric):
    """Pearson's correlation of labels and predictions: -1 to 1.

    Equals `pearson` of all that was seen: each replica keeps weight, means and central
    moments, which are merged by Chan's formula, so that values far from zero (10 000
    and a few) keep their digits in float32. 0 where one of the two is constant, or
    nothing was seen; NaN if a counted value is not finite.

    Updated with labels and predictions, (B,) or (B, 1), and sample weights (B,) or
    (B, 1) of at least 0: a weight of 2 counts as seeing the example twice.

    Raises:
        ValueError: made under a strategy of several machines.
    """

    def __init__(self, name="pearson", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.replica = self.add_variable((), "zeros", dtype="float32", name="replica")
        self.num_replicas = _number_replicas(self.replica)
        self.moments = self.add_variable(
            (self.num_replicas, 8), "zeros", dtype="float32", name="moments"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        a, b, weights = _flat(y_true, y_pred, sample_weight)
        number = ops.cast(ops.convert_to_tensor(self.replica), "int32")
        own = ops.one_hot(number, self.num_replicas, dtype="float32")[:, None]
        moments = ops.convert_to_tensor(self.moments)  # (replicas, 8)
        merged = _merged(ops.sum(own * moments, axis=0), _moments(a, b, weights))
        self.moments.assign((1 - own) * moments + own * merged)

    def result(self):
        rows = ops.unstack(ops.convert_to_tensor(self.moments), self.num_replicas)
        return _correlation(*ops.unstack(functools.reduce(_merged, rows)[5:], 3))

    def reset_state(self):
        super().reset_state()
        _number_replicas(self.replica)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="kbert")
class SpearmanCorrelation(keras.metrics.Metric):
    """Spearman's correlation of labels and predictions: -1 to 1.

    Equals `spearman` of all that was seen, ties included: the values are kept, and
    ranked in `result`. Of R replicas number r keeps its own in the slots r, r + R,
    r + 2R, …, a share of `capacity` / R. NaN if a replica saw more than its share, or a
    counted value is not finite; 0 where one of the two is constant, or nothing was
    seen.

    Updated with labels and predictions, (B,) or (B, 1), and sample weights (B,) or
    (B, 1): 0 leaves an example out; any other weight counts as 1.

    Args:
        capacity: examples of an evaluation, over all replicas; they are sorted after
            each step.

    Raises:
        ValueError: `capacity` is below 1, or made under a strategy of several machines.
    """

    def __init__(self, capacity=10_000, name="spearman", dtype=None):
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1; got {capacity}.")
        super().__init__(name=name, dtype=dtype)
        self.replica = self.add_variable((), "zeros", dtype="float32", name="replica")
        self.num_replicas = _number_replicas(self.replica)
        self.capacity = capacity
        # Slots in rows of one per replica, and a last row for what has no slot.
        self.num_slots = -(-capacity // self.num_replicas) * self.num_replicas
        shape = (self.num_slots + self.num_replicas,)
        self.labels, self.predictions, self.is_filled = (
            self.add_variable(shape, "zeros", dtype="float32", name=part)
            for part in ("labels", "predictions", "is_filled")
        )
        self.seen, self.left_over = (
            self.add_variable((), "zeros", dtype="float32", name=part)
            for part in ("seen", "left_over")
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        a, b, weights = _flat(y_true, y_pred, sample_weight)
        counts = ops.cast(weights != 0, "float32")  # (B,)
        order = self.seen + ops.cumsum(counts) - counts
        slots = order * self.num_replicas + self.replica
        fits = slots < self.num_slots
        keep = ops.logical_and(counts > 0, fits)
        slots = ops.where(keep, slots, self.num_slots + self.replica)
        index = ops.cast(slots, "int32")[:, None]
        kept = ops.cast(keep, "float32")
        for variable, values in (
            (self.labels, ops.where(keep, a, 0.0)),
            (self.predictions, ops.where(keep, b, 0.0)),
            (self.is_filled, kept),
        ):
            filled = ops.scatter_update(ops.convert_to_tensor(variable), index, values)
            variable.assign(filled)
        self.seen.assign(self.seen + ops.sum(counts))
        self.left_over.assign(self.left_over + ops.sum(counts - kept))

    def result(self):
        counts = ops.convert_to_tensor(self.is_filled)  # (slots,)
        values = [ops.convert_to_tensor(v) for v in (self.labels, self.predictions)]
        ranks = [_ranks_of_counted(x, counts) for x in values]
        central = _moments(*ranks, counts)
        rho = _correlation(*ops.unstack(central[5:], 3))
        for is_sound in (self.left_over == 0, *map(_are_finite, values)):
            rho = ops.where(is_sound, rho, float("nan"))
        return rho

    def reset_state(self):
        super().reset_state()
        _number_replicas(self.replica)

    def get_config(self):
        return {"capacity": self.capacity, "name": self.name, "dtype": self.dtype}


def _number_replicas(variable):
    """Has a metric's variable read 0, 1, … on the replicas; how many there are.

    One, which reads 0, without a strategy of `tf.distribute`.
    """
    # Reached through the variable: the metrics import no TensorFlow.
    parts = ()
    if keras.config.backend() == "tensorflow":
        parts = getattr(variable.value, "values", ())
    if parts:
        everywhere = variable.value.distribute_strategy.num_replicas_in_sync
        if everywhere != len(parts):
            raise ValueError(
                "A correlation can be taken over the replicas of one machine; "
                f"{len(parts)} of {everywhere} are here. Evaluate on one machine."
            )
    for number, part in enumerate(parts):
        part.assign(number)
    return len(parts) or 1


def _are_finite(values):
    return ops.all(ops.isfinite(values))


def _flat(y_true, y_pred, sample_weight):
    """Labels, predictions and weights, float32 (B,) each."""
    a, b = (ops.reshape(ops.cast(x, "float32"), (-1,)) for x in (y_true, y_pred))
    if sample_weight is None:
        return a, b, ops.ones_like(a)
    return a, b, ops.reshape(ops.cast(sample_weight, "float32"), (-1,))


def _moments(a, b, weights):
    """(8,): weight, anchors of a and b, means of what differs from them, central sums.

    The last three are the sums of weight x squares of a, of b, and of products, each
    less its mean. The anchor is one of the values: means far from zero keep their
    digits, and a constant has no squares at all, not even from rounding.

        >>> a, b, weights = ops.array([1.0, 3]), ops.array([5.0, 5]), ops.ones(2)
        >>> ops.convert_to_numpy(_moments(a, b, weights)).tolist()
        [2.0, 3.0, 5.0, -1.0, 0.0, 2.0, 0.0, 0.0]
    """
    total = ops.sum(weights)
    anchors, means, central = [], [], []
    for x in (a, b):
        anchor = ops.max(
            ops.where(weights != 0, x, float("-inf")), initial=float("-inf")
        )
        anchor = ops.where(ops.isfinite(anchor), anchor, 0.0)
        x = ops.where(weights != 0, x - anchor, 0.0)
        mean = ops.sum(weights * x) / ops.where(total > 0, total, 1.0)
        anchors.append(anchor)
        means.append(mean)
        central.append(x - mean)
    a, b = central
    sums = [ops.sum(weights * x) for x in (a * a, b * b, a * b)]
    return ops.stack([total, *anchors, *means, *sums])


def _merged(one, other):
    """The moments of two parts together (Chan, Golub and LeVeque), (8,) each."""
    total = one[0] + other[0]
    share = other[0] / ops.where(total > 0, total, 1.0)
    anchors = ops.where(one[0] > 0, one[1:3], other[1:3])
    one_means = one[3:5] + (one[1:3] - anchors) * ops.cast(one[0] > 0, one.dtype)
    step = other[3:5] + (other[1:3] - anchors) - one_means
    across = ops.stack([step[0] ** 2, step[1] ** 2, step[0] * step[1]])
    return ops.concatenate(
        [
            total[None],
            anchors,
            one_means + step * share,
            one[5:] + other[5:] + across * one[0] * share,
        ]
    )


def _correlation(aa, bb, ab):
    """ab / sqrt(aa bb) of sums of central squares and products, in [-1, 1]; 0 for 0."""
    scale = ops.sqrt(aa) * ops.sqrt(bb)
    safe = ops.where(scale == 0, 1.0, scale)
    return ops.clip(ops.where(scale == 0, ops.zeros_like(ab), ab / safe), -1, 1)


def _ranks(values):
    """1 for the smallest; equal values share their mean.

    >>> _ranks([30, 10, 30]).tolist()
    [2.5, 1.0, 2.5]
    """
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    return (below + np.searchsorted(ordered, values, side="right") + 1) / 2


def _ranks_of_counted(values, counts):
    """As `_ranks` among the values whose count is 1, in `keras.ops`."""
    # What does not count stands behind all that does, at the end of the order.
    ordered = ops.sort(ops.where(counts > 0, values, float("inf")))
    below, up_to = (
        ops.cast(ops.searchsorted(ordered, values, side=side), "float32")
        for side in ("left", "right")
    )
    return (below + up_to + 1) / 2
