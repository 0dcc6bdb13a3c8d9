"""Cross-entropy over a vocabulary, in few passes over the logits."""

import keras
from keras import ops


def token_cross_entropy(labels, logits):
    """-log softmax(logits)[label]: labels int (…), logits (…, V) -> float32 (…), nats.

    The gradient, softmax less 1 at the label, is written out: over a vocabulary of
    thousands this is faster on a CPU than TensorFlow's fused kernel. A loss above 85 (a
    probability below 1e-37) is reported as 85; its gradient is exact.

        >>> loss = token_cross_entropy(ops.array([0]), ops.array([[0.0, 0.0]]))
        >>> ops.convert_to_numpy(loss).round(3)
        array([0.693], dtype=float32)
    """
    shape = ops.shape(labels)
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")  # (N,)
    rows = ops.arange(ops.shape(labels)[0], dtype="int32")
    index = ops.stack([rows, labels], axis=1)

    @ops.custom_gradient
    def loss_of(logits):  # (N, V)
        p = ops.softmax(logits)
        p_label = ops.take_along_axis(p, index[:, 1:], axis=1)[:, 0]

        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream  # by name: torch
            dense = p * ops.expand_dims(upstream, 1)
            return ops.scatter_update(dense, index, (p_label - 1.0) * upstream)

        return -ops.log(ops.maximum(p_label, 1e-37)), gradient

    logits = ops.cast(ops.reshape(logits, (-1, logits.shape[-1])), "float32")
    return ops.reshape(loss_of(logits), shape)


@keras.saving.register_keras_serializable(package="kbert")
class TokenCrossEntropy(keras.losses.Loss):
    """`token_cross_entropy` as a loss for `compile`; means as Keras' own do."""

    def __init__(self, name="token_cross_entropy", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        return token_cross_entropy(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction}
