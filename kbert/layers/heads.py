"""The two heads of pre-training: masked language model and next sentence."""

import keras
from keras import ops

from kbert.layers.embeddings import BertEmbeddings
from kbert.layers.encoder import activation_function, gather_rows
from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    from_quantized_config,
    quantize_as_before,
    quantized_config,
)


@keras.saving.register_keras_serializable(package="kbert")
class MaskedLMHead(keras.layers.Layer):
    """Logits over the vocabulary at the masked positions.

    Gathers first, projects after: dense(D) -> activation -> layer norm -> product with
    the token embedding's own table -> bias (google-research/bert,
    `get_masked_lm_output`). The table is the embedding's variable, not a copy: a head
    that Keras makes of its config, to load or clone a model, takes that of the
    `BertEmbeddings` which its input comes from.

    Call arguments:
        x: float (B, L, D); or (B, M, D), rows gathered already, without positions.
        mask_positions: int32 (B, M), in [0, L); None means x is gathered already.

    Returns: logits (B, M, V) in the layer's compute dtype.
    """

    def __init__(
        self,
        token_embedding,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.token_embedding = token_embedding
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.transform = keras.layers.Dense(
            token_embedding.output_dim,
            kernel_initializer=kernel_initializer(initializer_range),
            dtype=self.dtype_policy,
            name="transform",
        )
        self.norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self._activation = activation_function(activation)

    def __call__(self, x, *args, **kwargs):
        if isinstance(self.token_embedding, _Described):
            self.token_embedding = self.token_embedding.found_behind(x)
        return super().__call__(x, *args, **kwargs)

    def build(self, x_shape, mask_positions_shape=None):
        if isinstance(self.token_embedding, _Described):
            self.token_embedding = self.token_embedding.made()
        rows = (None, self.token_embedding.output_dim)
        if not self.token_embedding.built:
            self.token_embedding.build((None,))
        self.transform.build(rows)
        self.norm.build(rows)
        self.output_bias = self.add_weight(
            shape=(self.token_embedding.input_dim,),
            initializer="zeros",
            name="output_bias",
        )
        quantize_as_before(self)

    def call(self, x, mask_positions=None):
        if mask_positions is not None:
            x = gather_rows(x, mask_positions)
        num_positions = ops.shape(x)[1]
        x = ops.reshape(x, (-1, self.token_embedding.output_dim))  # (B M, D)
        x = self.norm(self._activation(self.transform(x)))
        logits = self._decode(x) + ops.cast(self.output_bias, self.compute_dtype)
        return ops.reshape(logits, (-1, num_positions, self.token_embedding.input_dim))

    def _decode(self, x):
        """(B M, D) -> (B M, V), by the token embedding's own table."""
        embedding = self.token_embedding
        if embedding.quantization_mode is None:
            table = ops.cast(embedding.embeddings, self.compute_dtype)
            return ops.matmul(x, ops.transpose(table))
        logits = ops.cast(embedding(x, reverse=True), self.compute_dtype)
        if embedding.lora_enabled:  # which Keras leaves out in this direction
            a, b = embedding.lora_embeddings_a, embedding.lora_embeddings_b
            adapter = ops.matmul(ops.matmul(x, ops.transpose(b)), ops.transpose(a))
            adapter = adapter * (embedding.lora_alpha / embedding.lora_rank)
            logits = logits + ops.cast(adapter, self.compute_dtype)
        return logits

    def compute_output_shape(self, x_shape, mask_positions_shape=None):
        batch, rows = (mask_positions_shape or x_shape)[:2]
        return (batch, rows, self.token_embedding.input_dim)

    def get_config(self):
        embedding = self.token_embedding
        is_described = isinstance(embedding, _Described)
        return super().get_config() | {
            "token_embedding": embedding.config
            if is_described
            else keras.saving.serialize_keras_object(embedding),
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            **quantized_config(self),
        }

    def get_build_config(self):
        return None  # to be built when it is called: what its input comes from counts

    @classmethod
    def from_config(cls, config):
        embedding = _Described(config["token_embedding"])
        return from_quantized_config(cls, config | {"token_embedding": embedding})


class _Described:
    """The token embedding of a head that was made of its config, until it is called.

    Args:
        config: of the embedding, serialized by Keras.
    """

    def __init__(self, config):
        self.config = config
        self.input_dim = config["config"]["input_dim"]
        self.output_dim = config["config"]["output_dim"]

    def found_behind(self, x):
        """That of the `BertEmbeddings` which x comes from; a new one if there is none.

        Args:
            x: a Keras tensor, or any other, which comes from nowhere.
        """
        layers = []
        if isinstance(x, keras.KerasTensor):
            layers = keras.Model(keras.utils.get_source_inputs(x), x).layers
        for layer in layers:  # those of a backbone that was called as a whole, too
            layers = [*layers, *getattr(layer, "layers", ())]
        tables = {
            id(layer): layer.token_embedding
            for layer in layers
            if isinstance(layer, BertEmbeddings)
            and layer.vocabulary_size == self.input_dim
            and layer.hidden_dim == self.output_dim
        }
        return self.made() if len(tables) != 1 else next(iter(tables.values()))

    def made(self):
        """A new embedding, tied to nothing."""
        return keras.saving.deserialize_keras_object(self.config)


@keras.saving.register_keras_serializable(package="kbert")
class NextSentenceHead(keras.layers.Layer):
    """Logits for "B follows A" (class 0) and "B is random" (class 1).

    Call arguments:
        pooled_output: float (B, D).

    Returns: logits (B, 2) in the layer's compute dtype.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range
        self.dense = keras.layers.Dense(
            2,
            kernel_initializer=kernel_initializer(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, pooled_output_shape):
        self.dense.build(pooled_output_shape)
        quantize_as_before(self)

    def call(self, pooled_output):
        return self.dense(pooled_output)

    def compute_output_shape(self, pooled_output_shape):
        return (*pooled_output_shape[:-1], 2)

    def get_config(self):
        return super().get_config() | {
            "initializer_range": self.initializer_range,
            **quantized_config(self),
        }

    from_config = classmethod(from_quantized_config)
