"""One block of the encoder, and the gather that lets the last block do less."""

import functools

import keras
from keras import ops

from kbert.layers.attention import SelfAttention
from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    from_quantized_config,
    quantize_as_before,
    quantized_config,
)

_FUNCTIONS = {
    "gelu": functools.partial(keras.activations.gelu, approximate=False),
    "gelu_tanh": functools.partial(keras.activations.gelu, approximate=True),
    "relu": keras.activations.relu,
    "silu": keras.activations.silu,
    "tanh": keras.activations.tanh,
}


def activation_function(name):
    """The function behind an activation's name in `BertConfig`.

    The two forms of GELU differ by up to 4.7e-4: "gelu" is x Phi(x), with erf;
    "gelu_tanh" is its approximation by tanh, as in google-research/bert.
    """
    if name not in _FUNCTIONS:
        raise ValueError(
            f"activation must be one of {', '.join(_FUNCTIONS)}; got {name!r}."
        )
    return _FUNCTIONS[name]


def gather_rows(x, positions):
    """Picks rows of every sequence: x (B, L, D), positions int32 (B, M) -> (B, M, D).

        >>> x = ops.array([[[1], [2], [3]], [[4], [5], [6]]])
        >>> positions = ops.array([[2, 0], [1, 1]])
        >>> ops.convert_to_numpy(gather_rows(x, positions)).tolist()
        [[[3], [1]], [[5], [5]]]

    Positions must lie in [0, L).
    """
    length, dim = ops.shape(x)[1], x.shape[-1]
    rows = ops.expand_dims(ops.arange(ops.shape(positions)[0], dtype="int32"), 1)
    flat = ops.reshape(rows * length + ops.cast(positions, "int32"), (-1,))
    picked = ops.take(ops.reshape(x, (-1, dim)), flat, axis=0)  # (B M, D)
    return ops.reshape(picked, (-1, ops.shape(positions)[1], dim))


@keras.saving.register_keras_serializable(package="kbert")
class EncoderBlock(keras.layers.Layer):
    """Post-norm transformer block: norm(x + attention), norm(x + feed-forward).

    Call arguments:
        x: float (B, L, D).
        mask: float32 (B, 1, 1, L), from `additive_mask`.
        positions: int32 (B, Q), in [0, L), the rows of `x` whose outputs are wanted;
            None means all. Queries, output projection and feed-forward are computed
            for those rows only.

    Returns: float (B, Q, D), with Q = L for positions=None. The numbers are those of
    the same rows of the full computation.
    """

    def __init__(
        self,
        hidden_dim,
        num_heads,
        intermediate_dim,
        activation="gelu",
        dropout=0.1,
        attention_dropout=0.1,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range

        self.attention = SelfAttention(
            hidden_dim,
            num_heads,
            attention_dropout,
            initializer_range,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention_norm = self._norm("attention_norm")
        self.intermediate = self._dense(intermediate_dim, "intermediate")
        self.output_dense = self._dense(hidden_dim, "output_dense")
        self.output_norm = self._norm("output_norm")
        self.attention_dropout_layer = self._dropout("hidden_dropout_1")
        self.output_dropout_layer = self._dropout("hidden_dropout_2")
        self._activation = activation_function(activation)

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def _dense(self, dim, name):
        return keras.layers.Dense(
            dim,
            kernel_initializer=kernel_initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name=name,
        )

    def _dropout(self, name):
        return keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def build(self, x_shape, mask_shape=None, positions_shape=None):
        rows = (None, self.hidden_dim)
        self.attention.build((None, None, self.hidden_dim))
        self.attention_norm.build(rows)
        self.intermediate.build(rows)
        self.output_dense.build((None, self.intermediate_dim))
        self.output_norm.build(rows)
        self.attention_dropout_layer.build(rows)
        self.output_dropout_layer.build(rows)
        quantize_as_before(self)

    def call(self, x, mask, positions=None, training=None):
        queries = None if positions is None else gather_rows(x, positions)
        y = self.attention(x, mask, queries, training=training)
        residual = x if queries is None else queries
        shape = ops.shape(residual)
        # From here each row stands alone: 2-D, so that product, bias and GELU fuse.
        y = ops.reshape(y, (-1, self.hidden_dim))
        residual = ops.reshape(residual, (-1, self.hidden_dim))
        y = self.attention_dropout_layer(y, training=training)
        x = self.attention_norm(residual + y)
        y = self.output_dense(self._activation(self.intermediate(x)))
        y = self.output_dropout_layer(y, training=training)
        return ops.reshape(self.output_norm(x + y), shape)

    def compute_output_shape(self, x_shape, mask_shape=None, positions_shape=None):
        return (*(positions_shape or x_shape)[:2], self.hidden_dim)

    def get_config(self):
        return super().get_config() | {
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            **quantized_config(self),
        }

    from_config = classmethod(from_quantized_config)
