"""The accuracy of pre-training's heads."""

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
