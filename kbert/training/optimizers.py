"""AdamW as BERT was trained with it, and LAMB, which follows it in large batches."""

import keras
from keras import ops

from kbert.training.layer_depths import layer_depths
from kbert.training.schedules import WarmupLinearDecay

# Biases and the scale and shift of norms are not decayed (google-research/bert,
# `exclude_from_weight_decay=["LayerNorm", "layer_norm", "bias"]`).
UNDECAYED_NAMES = ("bias", "output_bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="kbert")
class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay and clipping of the global gradient norm.

        m = beta_1 m + (1 - beta_1) g,   v = beta_2 v + (1 - beta_2) g^2
        w = w - rate * (m / (sqrt(v) + epsilon) + weight_decay * w)

    where g is the gradient scaled to a global norm of at most `clip_norm`. With
    `bias_correction`, m and v are divided by 1 - beta^t first (Adam as published).

    With `layer_decay`, the rate is another for each depth, weight decay included: it is
    multiplied by `layer_decay ** depth`, with the depth from `layer_depths`.

    Two things differ from `keras.optimizers.AdamW`. Under `tf.distribute` the gradient
    is clipped after it has been summed over the replicas, so that several devices give
    the numbers of one. On TensorFlow the update is one fused kernel per variable where
    Keras makes about 40 passes over memory.

    Args:
        learning_rate: a number or a schedule in optimizer steps.
        weight_decay: multiplied with the rate; norms and biases are not decayed.
        clip_norm: largest global norm of the gradient; None for no clipping.
        layer_decay: above 0 and at most 1, where all layers have the same rate; 0.8 to
            0.95 are usual in fine-tuning.

    Raises:
        ValueError: `layer_decay` out of its bounds, or below 1 for a model without the
            blocks of a `BertBackbone`.
    """

    def __init__(
        self,
        learning_rate=1e-4,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        bias_correction=False,
        clip_norm=1.0,
        layer_decay=1.0,
        name="adamw",
        **kwargs,
    ):
        if not 0 < layer_decay <= 1:
            raise ValueError(
                "layer_decay must be above 0 and at most 1, where all layers have the "
                f"same rate; got {layer_decay}."
            )
        super().__init__(learning_rate, name=name, **kwargs)
        self.decay_rate = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        self.clip_norm = clip_norm
        self.layer_decay = layer_decay

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._is_decayed = [v.name not in UNDECAYED_NAMES for v in variables]
        self._rate_factors = [1.0] * len(variables)
        if self.layer_decay != 1.0:
            depths = layer_depths([v.path for v in variables])
            self._rate_factors = [self.layer_decay**depth for depth in depths]

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if keras.config.backend() != "tensorflow":
            super()._backend_update_step(
                self._clipped(grads), trainable_variables, learning_rate
            )
            return
        # As the base class does it, with the clipping between sum and update.
        import tensorflow as tf

        values = [getattr(v, "value", v) for v in trainable_variables]
        pairs = self._all_reduce_sum_gradients(list(zip(grads, values)))
        # To dense: the rows of a sparse gradient, one for each token, must be summed
        # before their norm is taken.
        grads = self._clipped([tf.convert_to_tensor(grad) for grad, _ in pairs])
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._distributed_tf_update_step,
            self._distribution_strategy,
            list(zip(grads, values)),
            learning_rate,
        )

    def _clipped(self, grads):
        if self.clip_norm is None:
            return grads
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        norm = ops.sqrt(sum(squares))
        scale = self.clip_norm / ops.maximum(norm, self.clip_norm)
        return [grad * ops.cast(scale, grad.dtype) for grad in grads]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        rate = ops.cast(learning_rate, variable.dtype)
        if self._rate_factors[index] != 1.0:
            rate = rate * self._rate_factors[index]
        epsilon = ops.cast(self.epsilon, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        decay = self.decay_rate if self._is_decayed[index] else 0.0
        decay = rate * decay  # from the uncorrected rate
        if self.bias_correction:
            root = ops.sqrt(1.0 - ops.power(self.beta_2, step))
            rate = rate * root / (1.0 - ops.power(self.beta_1, step))
            epsilon = epsilon * root
        if keras.config.backend() == "tensorflow":
            self._fused_update(gradient, variable, m, v, rate, epsilon, decay)
            return
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        update = rate * m / (ops.sqrt(v) + epsilon) + decay * variable
        self.assign_sub(variable, update)

    def _fused_update(self, gradient, variable, m, v, rate, epsilon, decay):
        import tensorflow as tf

        # Both terms read w before the update; decaying first is the same, as Adam's
        # term does not depend on w.
        tf.raw_ops.ResourceApplyGradientDescent(
            var=variable.handle, alpha=decay, delta=variable
        )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.value.handle,
            v=v.value.handle,
            beta1_power=0.0,  # the correction is in `rate` already
            beta2_power=0.0,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=epsilon,
            grad=gradient,
        )

    def get_config(self):
        config = super().get_config()
        for inherited in ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue"):
            config.pop(inherited)
        return config | {
            "weight_decay": self.decay_rate,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
            "clip_norm": self.clip_norm,
            "layer_decay": self.layer_decay,
        }


@keras.saving.register_keras_serializable(package="kbert")
class Lamb(AdamW):
    """LAMB: AdamW whose step in each variable is as long as the rate says.

        u = m / (sqrt(v) + epsilon) + weight_decay * w
        w = w - rate * |w| / |u| * u

    with m and v as in `AdamW`, and |w| / |u|, the trust ratio of a variable, 1 where
    either norm is 0 (You et al., 2020, "Large Batch Optimization for Deep Learning",
    algorithm 2). Biases and norms, which are not decayed, have the ratio 1 as well, as
    in the authors' code (`exclude_from_layer_adaptation`). The rate is relative to the
    size of the weights: 0.001 changes a kernel by a thousandth of its norm.

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
        rate = ops.cast(learning_rate, variable.dtype) * self._rate_factors[index]
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        mean, square = ops.convert_to_tensor(m), ops.convert_to_tensor(v)
        if self.bias_correction:
            step = ops.cast(self.iterations + 1, variable.dtype)
            mean = mean / (1.0 - ops.power(self.beta_1, step))
            square = square / (1.0 - ops.power(self.beta_2, step))
        update = mean / (ops.sqrt(square) + self.epsilon)
        if self._is_decayed[index]:
            update = update + self.decay_rate * variable
            rate = rate * ops.cast(_trust_ratio(variable, update), variable.dtype)
        self.assign_sub(variable, rate * update)


def _trust_ratio(variable, update):
    """|w| / |u|, float32; 1 where one of them is 0."""
    norm, other = (
        ops.sqrt(ops.sum(ops.square(ops.cast(x, "float32"))))
        for x in (variable, update)
    )
    is_defined = ops.logical_and(norm > 0, other > 0)
    return ops.where(is_defined, norm / ops.where(is_defined, other, 1.0), 1.0)


def adamw(
    learning_rate,
    total_steps=None,
    warmup_share=0.1,
    weight_decay=0.01,
    bias_correction=False,
    clip_norm=1.0,
    layer_decay=1.0,
) -> AdamW:
    """The optimizer of BERT: `AdamW` on a `WarmupLinearDecay`.

    Args:
        learning_rate: the peak; a plain number when `total_steps` is None.
        total_steps: optimizer steps of the whole training; None keeps the rate fixed.
        warmup_share: share of the steps spent warming up, 0 to 1.
        weight_decay: 0.01 in the paper.
        bias_correction: False as in google-research/bert's pre-training; fine-tuning
            on few examples is steadier with True (Mosbach et al., 2020).
        clip_norm: largest global gradient norm.
        layer_decay: what each layer's rate is multiplied with from the one above to it;
            1 for the same rate everywhere.
    """
    return AdamW(
        _scheduled(learning_rate, total_steps, warmup_share),
        weight_decay=weight_decay,
        bias_correction=bias_correction,
        clip_norm=clip_norm,
        layer_decay=layer_decay,
    )


def lamb(
    learning_rate,
    total_steps=None,
    warmup_share=0.1,
    weight_decay=0.01,
    bias_correction=True,
    clip_norm=1.0,
    layer_decay=1.0,
) -> Lamb:
    """`Lamb` on a `WarmupLinearDecay`; the arguments are those of `adamw`.

    Args:
        learning_rate: the peak, relative to the size of the weights.
        bias_correction: True as published.
    """
    return Lamb(
        _scheduled(learning_rate, total_steps, warmup_share),
        weight_decay=weight_decay,
        bias_correction=bias_correction,
        clip_norm=clip_norm,
        layer_decay=layer_decay,
    )


# By the names of the command line.
OPTIMIZERS = {"adamw": adamw, "lamb": lamb}


def _scheduled(learning_rate, total_steps, warmup_share):
    if total_steps is None:
        return learning_rate
    return WarmupLinearDecay(
        learning_rate, total_steps, int(warmup_share * total_steps)
    )
