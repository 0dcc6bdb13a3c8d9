"""Multi-head self-attention with one fused kernel for queries, keys and values.

The products are 2-D with a bias, the form that CPU libraries fuse; the mask is added
and computed once for all layers (`additive_mask`); softmax runs in float32. Where a
backend has fused attention (JAX), it is called by name whenever no probability has to
be dropped.
"""

import keras
from keras import ops

from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    from_quantized_config,
    quantize_as_before,
    quantized_config,
)

# exp(-1e9) is 0 in float32, and the sum with any finite score is still finite.
MASKED_SCORE = -1e9


def additive_mask(padding_mask):
    """What is added to the attention scores: 0 where attended to, -1e9 at padding.

    Args:
        padding_mask: int32 (B, L); 1 marks tokens that may be attended to, 0 padding.

    Returns: float32 (B, 1, 1, L).

        >>> ops.convert_to_numpy(additive_mask([[1, 1, 0]])).tolist()
        [[[[-0.0, -0.0, -1000000000.0]]]]
    """
    keep = ops.cast(padding_mask, "float32")
    return ops.expand_dims((1.0 - keep) * MASKED_SCORE, (1, 2))


def _is_fused(dtype):
    """Whether the backend has fused attention; JAX's has no float16 on a CPU."""
    if keras.config.backend() != "jax":
        return False
    devices = keras.distribution.list_devices() if dtype == "float16" else ()
    return not any(device.startswith("cpu") for device in devices)


@keras.saving.register_keras_serializable(package="kbert")
class SelfAttention(keras.layers.Layer):
    """Scaled dot-product self-attention of H heads (Vaswani et al., 2017, 3.2).

    Call arguments:
        x: float (B, L, D).
        mask: float32 (B, 1, 1, L), from `additive_mask`.
        queries: float (B, Q, D), the rows of `x` whose outputs are wanted; None
            means all rows. Keys and values are always those of all rows of `x`.

    Returns: float (B, Q, D), with Q = L for queries=None.
    """

    def __init__(
        self,
        hidden_dim,
        num_heads,
        attention_dropout=0.1,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if hidden_dim % num_heads:
            raise ValueError(
                "hidden_dim must be a multiple of num_heads; got "
                f"hidden_dim={hidden_dim}, num_heads={num_heads}."
            )
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.initializer_range = initializer_range
        self.head_dim = hidden_dim // num_heads

        initializer = kernel_initializer(initializer_range)
        self.query_key_value = keras.layers.Dense(
            3 * hidden_dim,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name="query_key_value",
        )
        self.output_projection = keras.layers.Dense(
            hidden_dim,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name="output_projection",
        )
        self.dropout_layer = keras.layers.Dropout(
            attention_dropout, dtype=self.dtype_policy, name="attention_dropout"
        )

    def build(self, x_shape, mask_shape=None, queries_shape=None):
        self.query_key_value.build((None, self.hidden_dim))
        self.output_projection.build((None, self.hidden_dim))
        self.dropout_layer.build((None, self.num_heads, None, None))
        quantize_as_before(self)

    def call(self, x, mask, queries=None, training=None):
        if queries is None:
            queries = x
            query, key, value = self._project(x, self.query_key_value)
        else:
            query, key, value = self._project_apart(queries, x)
        drops = training and self.attention_dropout
        if _is_fused(self.compute_dtype) and not drops:
            # In float16 -1e9 is -inf, and the softmax of a row of those NaN.
            lowest = -65504.0 if self.compute_dtype == "float16" else MASKED_SCORE
            y = ops.dot_product_attention(
                query, key, value, bias=ops.maximum(mask, lowest)
            )
        else:
            y = self._attend(query, key, value, mask, training)
        y = self.output_projection(ops.reshape(y, (-1, self.hidden_dim)))
        return ops.reshape(y, ops.shape(queries))

    def _project(self, x, dense):
        """x (B, L, D) -> (B, L, H, D/H), one for each kernel that `dense` holds."""
        y = dense(ops.reshape(x, (-1, self.hidden_dim)))  # (B L, n D)
        # Split, not sliced: the gradient of slices is a sum of arrays of full size.
        parts = ops.split(y, y.shape[-1] // self.hidden_dim, axis=-1)
        shape = (-1, ops.shape(x)[1], self.num_heads, self.head_dim)
        return [ops.reshape(part, shape) for part in parts]

    def _project_apart(self, queries, x):
        """Queries for some rows, keys and values for all, from the one kernel."""
        if self.query_key_value.quantization_mode is not None:
            # What its codes stand for, the layer alone knows: it is asked twice.
            query, _, _ = self._project(queries, self.query_key_value)
            _, key, value = self._project(x, self.query_key_value)
            return query, key, value
        kernel = ops.cast(self.query_key_value.kernel, self.compute_dtype)
        bias = ops.cast(self.query_key_value.bias, self.compute_dtype)
        d = self.hidden_dim
        (query,) = self._project(
            queries, lambda rows: ops.matmul(rows, kernel[:, :d]) + bias[:d]
        )
        key, value = self._project(
            x, lambda rows: ops.matmul(rows, kernel[:, d:]) + bias[d:]
        )
        return query, key, value

    def _attend(self, query, key, value, mask, training):
        """The formula in plain ops. (B, Q, H, d), (B, L, H, d) x 2 -> (B, Q, H, d)."""
        query = ops.transpose(query * self.head_dim**-0.5, (0, 2, 1, 3))
        key = ops.transpose(key, (0, 2, 3, 1))
        value = ops.transpose(value, (0, 2, 1, 3))
        # Keras casts the mask to the compute dtype on the way in, where -1e9 may be
        # -inf and the softmax of a row of those NaN; it is cast back.
        mask = ops.maximum(ops.cast(mask, "float32"), MASKED_SCORE)
        scores = ops.cast(ops.matmul(query, key), "float32")  # (B, H, Q, L)
        scores = scores + mask
        weights = ops.cast(ops.softmax(scores), self.compute_dtype)
        weights = self.dropout_layer(weights, training=training)
        return ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))

    def compute_output_shape(self, x_shape, mask_shape=None, queries_shape=None):
        return x_shape if queries_shape is None else queries_shape

    def get_config(self):
        return super().get_config() | {
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "attention_dropout": self.attention_dropout,
            "initializer_range": self.initializer_range,
            **quantized_config(self),
        }

    from_config = classmethod(from_quantized_config)
