"""BERT that chooses one of several continuations, or answers, by scoring each."""

import keras
from keras import ops

from kbert.features import BACKBONE_INPUTS, with_axis
from kbert.layers.quantization import (
    model_from_config,
    quantize_model,
    quantized_config,
)
from kbert.models.pretrainer import warn_of_probabilities
from kbert.models.text_classifier import BertTextClassifier

# The logit of a choice that is not there; its share of any softmax is 0.
ABSENT = -1e9


@keras.saving.register_keras_serializable(package="kbert")
class BertMultipleChoice(keras.Model):
    """A `BertBackbone` and one score for each choice, as in SWAG (Devlin et al., 4.4).

    Every choice is a row of its own, [CLS] question [SEP] choice [SEP]. Where a
    question has fewer choices than others of its batch, the rows that fill it up are
    all padding.

    Inputs (a dict): those of the backbone with an axis for the choices, each int32
    (B, C, L).

    Output: float32 logits (B, C), whose softmax is over the choices; -1e9 for rows that
    are all padding. The dense layer behind them, (D, 1), is the same for all choices,
    so that C may differ from batch to batch. The loss is to take logits:
    `from_logits=True` in Keras' own.

    Args:
        backbone: a `BertBackbone`; shared, not copied.
        dropout: share of the pooled output dropped in training; None takes the
            backbone's.
    """

    def __init__(self, backbone, dropout=None, name=None):
        # === Layers ===
        scorer = BertTextClassifier(backbone, 1, dropout, name="scorer")

        # === Functional model ===
        inputs = {
            f.name: keras.Input(f.shape, dtype=f.dtype, name=f.name)
            for f in with_axis(BACKBONE_INPUTS, "C")
        }
        rows = {
            name: FlattenChoices(name=f"flat_{name}")(x) for name, x in inputs.items()
        }
        scores = scorer(rows)  # (B C, 1)
        outputs = GroupScores(dtype="float32", name="logits")(
            scores, inputs["padding_mask"]
        )
        super().__init__(inputs=inputs, outputs=outputs, name=name or "multiple_choice")

        # === Config ===
        self.backbone = backbone
        self.dropout = scorer.dropout
        self.classifier = scorer.classifier
        self.dtype_policy = backbone.training_policy(self)

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "dropout": self.dropout,
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


@keras.saving.register_keras_serializable(package="kbert")
class FlattenChoices(keras.layers.Layer):
    """(B, C, L) -> (B C, L): each choice a row.

    >>> ops.convert_to_numpy(FlattenChoices()(ops.ones((2, 3, 4), "int32"))).shape
    (6, 4)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, inputs):
        return ops.reshape(inputs, (-1, ops.shape(inputs)[2]))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((None, inputs.shape[2]), inputs.dtype)


@keras.saving.register_keras_serializable(package="kbert")
class GroupScores(keras.layers.Layer):
    """Scores (B C, 1) back to (B, C), those of rows without any token -1e9.

    >>> mask = ops.array([[[1, 1], [1, 0], [0, 0]]])
    >>> scores = GroupScores()(ops.array([[2.0], [3.0], [4.0]]), mask)
    >>> ops.convert_to_numpy(scores).tolist()
    [[2.0, 3.0, -1000000000.0]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, scores, padding_mask):
        shape = ops.shape(padding_mask)
        scores = ops.reshape(scores, (shape[0], shape[1]))  # (B, C)
        is_there = ops.any(padding_mask > 0, axis=2)
        return ops.where(is_there, scores, ops.cast(ABSENT, scores.dtype))

    def compute_output_spec(self, scores, padding_mask):
        return keras.KerasTensor(padding_mask.shape[:2], scores.dtype)
