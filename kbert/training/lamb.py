"""LAMB: AdamW for large batches."""

import keras
from keras import ops

from kbert.training.adamw import AdamW


@keras.saving.register_keras_serializable(package="kbert")
class Lamb(AdamW):
    """LAMB: AdamW whose step in each variable is as long as the rate says.

        u = m / (sqrt(v) + epsilon) + weight_decay * w
        w = w - rate * |w| / |u| * u

    with m and v as in `AdamW`, and |w| / |u|, the trust ratio of a variable, 1 where
    either norm is 0 (You et al., 2020, "Large Batch Optimization for Deep Learning",
    algorithm 2). What is excluded from the decay, as biases and norms are, has the
    ratio 1 as well, as in the authors' code (`exclude_from_layer_adaptation`). The rate
    is relative to the size of the weights: 0.001 changes a kernel by a thousandth of
    its norm.

    Clipping, `layer_decay` and training on several devices are as in `AdamW`, whose
    arguments these are; the bias of m and v is corrected by default, as published.
    """

    def __init__(self, learning_rate=1e-3, bias_correction=True, name="lamb", **kwargs):
        super().__init__(
            learning_rate, bias_correction=bias_correction, name=name, **kwargs
        )

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        dtype = keras.backend.standardize_dtype(variable.dtype)
        rate = ops.cast(learning_rate, "float32") * self._rate_factors[index]
        gradient = ops.cast(gradient, dtype)
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        mean, square = (ops.cast(ops.convert_to_tensor(x), "float32") for x in (m, v))
        if self.bias_correction:
            step = ops.cast(self.iterations + 1, "float32")
            mean = mean / (1.0 - ops.power(self.beta_1, step))
            square = square / (1.0 - ops.power(self.beta_2, step))
        update = mean / (ops.sqrt(square) + self.epsilon)
        if self._is_decayed(index):
            weight = ops.cast(ops.convert_to_tensor(variable), "float32")
            update = update + (self.weight_decay or 0.0) * weight
            rate = rate * _trust_ratio(weight, update)
        self.assign_sub(variable, ops.cast(rate * update, dtype))


def _trust_ratio(weight, update):
    """|w| / |u|; 1 where one of them is 0."""
    norm, other = (ops.sqrt(ops.sum(ops.square(x))) for x in (weight, update))
    is_defined = ops.logical_and(norm > 0, other > 0)
    return ops.where(is_defined, norm / ops.where(is_defined, other, 1.0), 1.0)
