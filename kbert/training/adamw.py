"""AdamW as BERT was trained with it."""

import warnings

import keras
from keras import ops

from kbert.training.layer_depths import layer_depths

# Biases and the scale and shift of norms are not decayed (google-research/bert,
# `exclude_from_weight_decay=["LayerNorm", "layer_norm", "bias"]`).
UNDECAYED_NAMES = ("bias", "output_bias", "gamma", "beta")
BERTS_CLIP_NORM = 1.0
# Keras' own clipping: of each gradient's norm, of its values, of all gradients' norm.
_KERAS_CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")


@keras.saving.register_keras_serializable(package="kbert")
class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay and clipping of the global gradient norm.

        m = beta_1 m + (1 - beta_1) g,   v = beta_2 v + (1 - beta_2) g^2
        w = w - rate * (m / (sqrt(v) + epsilon) + weight_decay * w)

    where g is the gradient scaled to a global norm of at most `clip_norm`. With
    `bias_correction`, m and v are divided by 1 - beta^t first (Adam as published).

    With `layer_decay`, the rate is another for each depth, weight decay included: it is
    multiplied by `layer_decay ** depth`, with the depth from `layer_depths`.

    Three things differ from `keras.optimizers.AdamW`. Under `tf.distribute` the
    gradient's global norm is clipped after it has been summed over the replicas, so
    that several devices give the numbers of one. On TensorFlow the update is one fused
    kernel per variable where Keras makes about 40 passes over memory. And biases and
    norms are not decayed; `exclude_from_weight_decay` puts other exclusions in the
    place of these, so that what it leaves out is then decayed, as with Keras.

    Args:
        learning_rate: a float, a schedule in optimizer steps, or a function.
        weight_decay: multiplied with the rate; None or 0 for none. May be set later.
        clip_norm: largest global norm of the gradient, Keras' `global_clipnorm`; None
            for no clipping. "default" is 1.0, or None where `clipnorm`, `clipvalue` or
            `global_clipnorm` is given, of which there may be one.
        layer_decay: above 0 and at most 1, where all layers have the same rate; 0.8 to
            0.95 are usual in fine-tuning.
        undecayed: patterns of the names of variables that are not decayed, as
            `exclude_from_weight_decay` takes them; None for biases and norms.
        undecayed_paths: paths of variables that are not decayed.
        **kwargs: the other arguments of every Keras optimizer: `use_ema`,
            `gradient_accumulation_steps`, `loss_scale_factor` and so on.

    Raises:
        ValueError: `layer_decay` out of its bounds, or below 1 for a model without the
            blocks of a `BertBackbone`; two ways of clipping.
    """

    def __init__(
        self,
        learning_rate=1e-4,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        bias_correction=False,
        clip_norm="default",
        layer_decay=1.0,
        undecayed=None,
        undecayed_paths=(),
        name="adamw",
        **kwargs,
    ):
        if not 0 < layer_decay <= 1:
            raise ValueError(
                "layer_decay must be above 0 and at most 1, where all layers have the "
                f"same rate; got {layer_decay}."
            )
        kwargs["global_clipnorm"] = _global_norm(clip_norm, kwargs)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        self.layer_decay = layer_decay
        self.undecayed = undecayed
        if undecayed is not None:
            self.exclude_from_weight_decay(var_names=undecayed)
        self.undecayed_paths = tuple(undecayed_paths)

    @property
    def clip_norm(self):
        """Largest global norm of the gradient, or None; Keras' `global_clipnorm`."""
        return self.global_clipnorm

    @clip_norm.setter
    def clip_norm(self, value):
        self.global_clipnorm = value

    @property
    def decay_rate(self):
        """Former name of `weight_decay`."""
        return self.weight_decay

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """As Keras': these variables are not decayed, and all others are.

        They replace what was excluded before, biases and norms included. Unlike Keras'
        own, they are in `get_config`: names as given, variables by their paths.

        Args:
            var_list: variables.
            var_names: patterns; a variable in whose name one is found is not decayed.
                On TensorFlow a name begins with those of the layers, as in
                "encoder_block_0/attention_norm/gamma:0"; elsewhere it is "gamma".
        """
        var_list, var_names = list(var_list or ()), list(var_names or ())
        super().exclude_from_weight_decay(var_list, var_names)
        self.undecayed = tuple(var_names)
        self.undecayed_paths = tuple(getattr(v, "path", v.name) for v in var_list)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._rate_factors = [1.0] * len(variables)
        if self.layer_decay != 1.0:
            depths = layer_depths([v.path for v in variables])
            self._rate_factors = [self.layer_decay**depth for depth in depths]

    def apply(self, grads, trainable_variables=None):
        if (
            self.loss_scale_factor is not None
            and keras.config.backend() == "tensorflow"
        ):
            import tensorflow as tf

            # The base class divides them, which sparse gradients of embeddings refuse.
            grads = [g if g is None else tf.convert_to_tensor(g) for g in grads]
        return super().apply(grads, trainable_variables)

    def _is_decayed(self, index):
        variable = self._trainable_variables[index]
        if self.undecayed is None:
            return variable.name not in UNDECAYED_NAMES
        path = getattr(variable, "path", variable.name)
        if keras.config.backend() == "tensorflow":  # whose own names Keras looks at
            variable = getattr(variable, "value", variable)
        return self._use_weight_decay(variable) and path not in self.undecayed_paths

    def _apply_weight_decay(self, variables):
        """Nothing: `update_step` decays, by the rate of each variable."""

    def _clip_gradients(self, grads):
        # The global norm is that of the sum over the replicas, see `_clipped`.
        return grads if self.global_clipnorm else super()._clip_gradients(grads)

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
        if not self.global_clipnorm:
            return grads
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        norm = ops.sqrt(sum(squares))
        scale = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
        return [grad * ops.cast(scale, grad.dtype) for grad in grads]

    def scale_loss(self, loss):
        # Of an optimizer inside a LossScaleOptimizer, this is not called.
        if self.loss_scale_factor is None and any(
            getattr(v, "computes_in_float16", False) for v in self._trainable_variables
        ):
            warnings.warn(
                "This model computes in float16, where small gradients are 0 unless the"
                " loss is scaled, and its own dtype policy does not tell Keras so: "
                "compile it with keras.optimizers.LossScaleOptimizer(optimizer).",
                stacklevel=2,
            )
        return super().scale_loss(loss)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        dtype = keras.backend.standardize_dtype(variable.dtype)
        rate = ops.cast(learning_rate, "float32") * self._rate_factors[index]
        decay = (self.weight_decay or 0.0) if self._is_decayed(index) else 0.0
        decay = rate * decay  # from the uncorrected rate
        epsilon = ops.cast(self.epsilon, "float32")
        if self.bias_correction:
            step = ops.cast(self.iterations + 1, "float32")
            root = ops.sqrt(1.0 - ops.power(self.beta_2, step))
            rate = rate * root / (1.0 - ops.power(self.beta_1, step))
            epsilon = epsilon * root
        # In bfloat16 beta_2 would be 1, and v stay 0: only float32 is fused.
        if keras.config.backend() == "tensorflow" and dtype == "float32":
            self._fused_update(gradient, variable, m, v, rate, epsilon, decay)
            return
        gradient = ops.cast(gradient, dtype)
        rate, epsilon, decay = (ops.cast(x, dtype) for x in (rate, epsilon, decay))
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
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
            "clip_norm": self.clip_norm,
            "layer_decay": self.layer_decay,
            "undecayed": None if self.undecayed is None else list(self.undecayed),
            "undecayed_paths": list(self.undecayed_paths),
        }


def _global_norm(clip_norm, kwargs):
    """The global norm to clip at, or None, of all that may say it.

    >>> _global_norm("default", {}), _global_norm("default", {"clipvalue": 0.5})
    (1.0, None)
    """
    given = {name: kwargs[name] for name in _KERAS_CLIPPING if kwargs.get(name)}
    if clip_norm == "default":
        return given.get("global_clipnorm") if given else BERTS_CLIP_NORM
    if not clip_norm:
        return given.get("global_clipnorm")
    if given.keys() - {"global_clipnorm"} or clip_norm != given.get(
        "global_clipnorm", clip_norm
    ):
        words = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ValueError(
            f"Expected one way of clipping; got clip_norm={clip_norm} and {words}. "
            "Leave one of them out."
        )
    return clip_norm
