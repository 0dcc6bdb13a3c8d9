"""From ids to vectors: token + position + segment, then norm, then dropout."""

import keras
from keras import ops

from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    first_rows,
    from_quantized_config,
    quantize_as_before,
    quantized_config,
)


@keras.saving.register_keras_serializable(package="kbert")
class BertEmbeddings(keras.layers.Layer):
    """Sum of the three embeddings of BERT, layer norm, dropout (paper, figure 2).

    Call arguments:
        token_ids: int32 (B, L), below `vocabulary_size`.
        segment_ids: int32 (B, L), below `num_segments`.

    Returns: float (B, L, D).

    Raises:
        ValueError: L is larger than `max_sequence_length`.
    """

    def __init__(
        self,
        vocabulary_size,
        hidden_dim,
        max_sequence_length=512,
        num_segments=2,
        dropout=0.1,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.dropout = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range

        # Reversible, as it is the decoder of the masked language model, too.
        self.token_embedding = self._table(
            vocabulary_size, "token_embedding", keras.layers.ReversibleEmbedding
        )
        self.position_embedding = self._table(max_sequence_length, "position_embedding")
        self.segment_embedding = self._table(num_segments, "segment_embedding")
        self.norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.dropout_layer = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def _table(self, rows, name, kind=keras.layers.Embedding):
        return kind(
            rows,
            self.hidden_dim,
            embeddings_initializer=kernel_initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, token_ids_shape, segment_ids_shape=None):
        for table in (
            self.token_embedding,
            self.position_embedding,
            self.segment_embedding,
        ):
            table.build(token_ids_shape)
        self.norm.build((None, None, self.hidden_dim))
        self.dropout_layer.build((None, None, self.hidden_dim))
        quantize_as_before(self)

    def call(self, token_ids, segment_ids, training=None):
        length = token_ids.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise ValueError(
                f"Sequences must have at most max_sequence_length="
                f"{self.max_sequence_length} tokens; got {length}. Shorten the text "
                "(sequence_length of the preprocessor) or train a longer model."
            )
        # Positions are a slice and segments a small product, not two gathers: the
        # gradient of a gather with many equal ids is slow on some backends.
        positions = first_rows(self.position_embedding, ops.shape(token_ids)[1])
        table = first_rows(self.segment_embedding, self.num_segments)
        segments = ops.one_hot(segment_ids, self.num_segments, dtype=self.compute_dtype)
        x = self.token_embedding(token_ids)  # (B, L, D)
        x = x + ops.matmul(segments, table) + positions
        return self.dropout_layer(self.norm(x), training=training)

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "hidden_dim": self.hidden_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            **quantized_config(self),
        }

    from_config = classmethod(from_quantized_config)
