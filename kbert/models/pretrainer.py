"""BERT as it is pre-trained: masked language model and next sentence prediction."""

import inspect
import warnings

import keras

from kbert.features import MASK_POSITIONS
from kbert.layers.heads import MaskedLMHead, NextSentenceHead
from kbert.layers.quantization import (
    model_from_config,
    quantize_model,
    quantized_config,
)


@keras.saving.register_keras_serializable(package="kbert")
class BertPretrainer(keras.Model):
    """A `BertBackbone` with the two heads of the paper's section 3.1.

    Inputs (a dict): those of the backbone and `mask_positions` int32 (B, M); unused
    places hold 0 and weigh nothing in the loss.

    Outputs (a dict of float32 logits): `masked_lm` (B, M, V), `next_sentence` (B, 2),
    class 0 = B follows A, 1 = B is random. The vocabulary projection is the token
    embedding itself. Of the last block only [CLS] and the masked rows are computed.
    `kbert.compile_pretrainer` brings losses that take logits; Keras' own need
    `from_logits=True`.
    """

    def __init__(self, backbone, name=None):
        # === Layers ===
        head_arguments = {
            "initializer_range": backbone.initializer_range,
            "dtype": backbone.policy,
        }
        masked_lm_head = MaskedLMHead(
            backbone.embeddings.token_embedding,
            activation=backbone.activation,
            layer_norm_epsilon=backbone.layer_norm_epsilon,
            name="masked_lm_head",
            **head_arguments,
        )
        next_sentence_head = NextSentenceHead(
            name="next_sentence_head", **head_arguments
        )

        # === Functional model ===
        positions = keras.Input(
            MASK_POSITIONS.shape, dtype=MASK_POSITIONS.dtype, name=MASK_POSITIONS.name
        )
        rows = backbone.rows_at(positions)  # (B, 1 + M, D)
        logits = {
            "masked_lm": masked_lm_head(rows[:, 1:]),
            "next_sentence": next_sentence_head(backbone.pooler(rows[:, 0])),
        }
        outputs = {name: in_float32(x, name) for name, x in logits.items()}
        super().__init__(
            inputs=backbone.input | {MASK_POSITIONS.name: positions},
            outputs=outputs,
            name=name or "pretrainer",
        )

        # === Config ===
        self.backbone = backbone
        self.masked_lm_head = masked_lm_head
        self.next_sentence_head = next_sentence_head
        self.dtype_policy = backbone.training_policy(self)

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "name": self.name,
            **quantized_config(self),
        }

    def fit(self, *args, **kwargs):
        warn_of_probabilities(self)
        return super().fit(*args, **kwargs)

    def quantize(self, mode=None, config=None, **kwargs):
        quantize_model(self, super().quantize, mode, config, **kwargs)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return model_from_config(cls, config)


def in_float32(logits, name):
    """Logits leave a model in float32, so that softmax and loss run in float32."""
    return keras.layers.Activation("linear", dtype="float32", name=name)(logits)


def warn_of_probabilities(model):
    """Warns before `fit` of a loss that takes logits for probabilities.

    The losses of Keras do unless they are told `from_logits=True`; by name they cannot
    be told. They clip what they get to [0, 1], and a model trains on what is left.

    Args:
        model: its outputs are logits; compiled or not.
    """
    for loss in keras.tree.flatten(getattr(model, "loss", None)):
        loss = keras.losses.get(loss)
        name = getattr(loss, "__name__", type(loss).__name__)
        takes = getattr(loss, "from_logits", None)
        if takes is None and inspect.isroutine(loss):
            parameter = inspect.signature(loss).parameters.get("from_logits")
            takes = parameter and parameter.default
        if takes is False:
            name = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
            warnings.warn(
                f"Expected a loss that takes logits, which a {type(model).__name__} "
                f"gives; {name} was made for probabilities, and what it computes of "
                f"logits means nothing. Compile with loss="
                f"keras.losses.{name}(from_logits=True).",
                stacklevel=3,
            )
