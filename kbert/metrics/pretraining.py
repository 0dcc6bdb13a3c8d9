"""The accuracy of pre-training's heads, and what the next sentence's is worth."""

import keras
from keras import ops


def is_best(labels, logits):
    """1 where no logit is above the label's: labels (…), logits (…, V) -> (…) float32.

        >>> logits = ops.array([[1, 2, 9], [1, 2, 9]])
        >>> ops.convert_to_numpy(is_best([2, 0], logits)).tolist()
        [1.0, 0.0]

    Equals comparing with the argmax, but for ties, which count as right; and a maximum
    is much faster than an argmax over a vocabulary on a CPU.
    """
    labels = ops.expand_dims(ops.cast(labels, "int32"), -1)
    own = ops.squeeze(ops.take_along_axis(logits, labels, axis=-1), axis=-1)
    return ops.cast(own >= ops.max(logits, axis=-1), "float32")


@keras.saving.register_keras_serializable(package="kbert")
class LabelAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of the labels with the highest logit, weighted by the sample weights."""

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(is_best, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def as_float(labels, logits):
    """The labels themselves, float32."""
    return ops.cast(labels, "float32")


@keras.saving.register_keras_serializable(package="kbert")
class RandomShare(keras.metrics.MeanMetricWrapper):
    """Share of the pairs of sentences whose second is random, label 1.

    The accuracy of next sentence prediction is worth what it has above this, or above
    the rest to 1 where that is more: who always gives one answer reaches as much.
    """

    def __init__(self, name="random", dtype=None):
        super().__init__(as_float, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
