"""BERT without a head: packed inputs to vectors."""

import keras
from keras import ops

from kbert.features import BACKBONE_INPUTS
from kbert.layers.attention import additive_mask
from kbert.layers.embeddings import BertEmbeddings
from kbert.layers.encoder import EncoderBlock
from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    model_from_config,
    quantize_model,
    quantized_config,
)
from kbert.models.compute_dtype import training_policy


@keras.saving.register_keras_serializable(package="kbert")
class BertBackbone(keras.Model):
    """The encoder of Devlin et al. (2018), with its pooler.

    Inputs (a dict): `token_ids`, `segment_ids`, `padding_mask`, each int32 (B, L), L at
    most `max_sequence_length`; 1 in the mask marks tokens that may be attended to.

    Outputs (a dict): `sequence_output` (B, L, D), one vector per token, and
    `pooled_output` (B, D), tanh of a dense layer on [CLS].

    The arguments are the fields of `kbert.BertConfig`, where each is explained:
    `BertBackbone(**kbert.bert_base().arguments())` has 109,482,240 parameters.
    Weights start from a truncated normal of standard deviation `initializer_range`,
    biases from 0, norms from gamma 1 and beta 0, as in google-research/bert.

    Attributes:
        text_vectors: how a text gets one vector, a `kbert.models.text_vectors
            .TextVectors`, where the directory it was loaded from says so; else None.
    """

    text_vectors = None

    def __init__(
        self,
        vocabulary_size=30522,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        activation="gelu",
        dropout=0.1,
        attention_dropout=0.1,
        max_sequence_length=512,
        num_segments=2,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        dtype=None,
        name=None,
    ):
        # === Layers ===
        # An empty DTypePolicyMap, which has a default alone, is false.
        dtype = keras.config.dtype_policy() if dtype is None else dtype
        policy = keras.dtype_policies.get(dtype)
        embeddings = BertEmbeddings(
            vocabulary_size,
            hidden_dim,
            max_sequence_length,
            num_segments,
            dropout,
            layer_norm_epsilon,
            initializer_range,
            dtype=policy,
            name="embeddings",
        )
        blocks = [
            EncoderBlock(
                hidden_dim,
                num_heads,
                intermediate_dim,
                activation,
                dropout,
                attention_dropout,
                layer_norm_epsilon,
                initializer_range,
                dtype=policy,
                name=f"encoder_block_{i}",
            )
            for i in range(num_layers)
        ]
        pooler = keras.layers.Dense(
            hidden_dim,
            activation="tanh",
            kernel_initializer=kernel_initializer(initializer_range),
            dtype=policy,
            name="pooler",
        )

        # === Functional model ===
        inputs = {
            f.name: keras.Input(f.shape, dtype=f.dtype, name=f.name)
            for f in BACKBONE_INPUTS
        }
        mask = additive_mask(inputs["padding_mask"])
        x = embeddings(inputs["token_ids"], inputs["segment_ids"])
        for block in blocks:
            last_block_input = x
            x = block(x, mask)
        outputs = {
            "sequence_output": x,
            "pooled_output": pooler(x[:, 0]),  # (B, D): [CLS]
        }
        super().__init__(inputs=inputs, outputs=outputs, name=name or "backbone")

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.policy = policy
        self.embeddings = embeddings
        self.blocks = blocks
        self.pooler = pooler
        self._mask = mask
        self._last_block_input = last_block_input
        self.dtype_policy = self.training_policy(self)

    def training_policy(self, model):
        """The dtype policy that a model on this backbone trains by.

        `compile` scales the loss where it is mixed_float16: a head sets its own
        `dtype_policy` to it. See `kbert.models.compute_dtype`.
        """
        return training_policy(model)

    def rows_at(self, mask_positions=None):
        """The graph up to the last block, and of that block only the rows asked for.

        A model that reads [CLS] or the masked positions alone builds its graph on this
        and pays for no other row of the last block. The numbers are those of
        `sequence_output` at the same rows.

        Args:
            mask_positions: int32 (B, M) Keras tensor; None for [CLS] alone.

        Returns: Keras tensor (B, 1 + M, D), [CLS] first.
        """
        positions = ops.zeros_like(self.input["token_ids"][:, :1])  # (B, 1): [CLS]
        if mask_positions is not None:
            positions = ops.concatenate([positions, mask_positions], axis=1)
        return self.blocks[-1](self._last_block_input, self._mask, positions)

    @property
    def dense_layers(self) -> list:
        """The four dense layers of every block, from below, whose kernels LoRA adapts.

        The kernel of `query_key_value` is one, so that queries, keys and values share
        an adapter.
        """
        return [
            dense
            for block in self.blocks
            for dense in (
                block.attention.query_key_value,
                block.attention.output_projection,
                block.intermediate,
                block.output_dense,
            )
        ]

    @property
    def has_lora(self) -> bool:
        """Whether kernels are in two parts, frozen ones and their adapters."""
        return any(dense.lora_enabled for dense in self.dense_layers)

    def enable_lora(self, rank, alpha=None):
        """Freezes embeddings and blocks, and lets low-rank adapters train instead.

        To every kernel W of the blocks comes (alpha / rank) A B, with A (inputs, rank)
        random and B (rank, outputs) zeros, so that nothing changes before a step is
        made (Hu et al., 2021, "LoRA"; `keras.layers.Dense.enable_lora`). That is
        `rank x (8 hidden_dim + 2 intermediate_dim)` numbers a block: for BERT base and
        rank 8, 1,179,648 in place of 109 million. The pooler is left to train, as
        `freeze` leaves it, since it reads for the head and may be as new as that
        (Hugging Face's PEFT freezes it: `backbone.pooler.trainable = False`). Heads
        train, but for a decoder that is the token embedding itself.

        Works before and after a head was put on the backbone; compile the model after
        it. The rate may be about ten times that of training everything.

        `kbert.save` and `.keras` files hold W + (alpha / rank) A B as W, so that what
        is loaded is a model without LoRA. `load_weights` on a model with LoRA sets A
        and B both to zeros, which never learn: load first, then enable.

        Args:
            rank: columns of A and rows of B, at least 1.
            alpha: above 0; None for `rank`, that is a factor of 1.

        Raises:
            ValueError: `rank` or `alpha` out of bounds, or LoRA is enabled already.
        """
        if not isinstance(rank, int) or rank < 1:
            raise ValueError(f"rank must be an integer of at least 1; got {rank!r}.")
        if alpha is not None and not alpha > 0:
            raise ValueError(f"alpha must be above 0, or None for rank; got {alpha!r}.")
        if self.has_lora:
            raise ValueError(
                "Expected a backbone without LoRA; this one has it, and one rank for "
                "good. kbert.save the model, load that, and enable LoRA there."
            )
        self.embeddings.trainable = False
        for block in self.blocks:
            block.trainable = True  # whatever stood still before
            # Each by itself: a layer that stands still would hold its adapters back.
            for variable in block.weights:
                variable.trainable = False
        for dense in self.dense_layers:
            dense.enable_lora(rank, lora_alpha=alpha)

    def get_config(self):
        return {
            "vocabulary_size": self.vocabulary_size,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            "dtype": keras.dtype_policies.serialize(self.policy),
            "name": self.name,
            **quantized_config(self),
        }

    def quantize(self, mode=None, config=None, **kwargs):
        quantize_model(self, super().quantize, mode, config, **kwargs)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return model_from_config(cls, config)


def backbone_of(model: keras.Model) -> BertBackbone:
    """The `BertBackbone` under a model's head; a backbone is its own."""
    return getattr(model, "backbone", model)
