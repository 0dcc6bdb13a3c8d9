"""BERT that finds the answer to a question in a text."""

import keras

from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    model_from_config,
    quantize_model,
    quantized_config,
)
from kbert.models.pretrainer import in_float32, warn_of_probabilities


@keras.saving.register_keras_serializable(package="kbert")
class BertQuestionAnswerer(keras.Model):
    """A `BertBackbone` and one dense layer that scores both ends of the answer.

    Inputs (a dict): those of the backbone; question and text are packed as a pair.

    Outputs (a dict of float32 logits): `start_logits` (B, L) and `end_logits` (B, L),
    how well the answer begins, and ends, at each token (Devlin et al., 2018, section
    4.2). Nothing is masked: question and padding have logits too. There is no dropout
    before the dense layer, as in google-research/bert, and no output reads the pooler.
    The loss of each is to take logits: `from_logits=True` in Keras' own.

    Args:
        backbone: a `BertBackbone`; shared, not copied.
    """

    def __init__(self, backbone, name=None):
        # === Layers ===
        answer_span = keras.layers.Dense(
            2,
            kernel_initializer=kernel_initializer(backbone.initializer_range),
            dtype=backbone.policy,
            name="answer_span",
        )

        # === Functional model ===
        ends = answer_span(backbone.output["sequence_output"])  # (B, L, 2)
        outputs = {
            "start_logits": in_float32(ends[:, :, 0], "start_logits"),  # (B, L)
            "end_logits": in_float32(ends[:, :, 1], "end_logits"),
        }
        super().__init__(
            inputs=backbone.input, outputs=outputs, name=name or "question_answerer"
        )

        # === Config ===
        # Past Keras' tracking: the weights of this model are those its outputs read, so
        # that no optimizer asks for the pooler's gradient.
        object.__setattr__(self, "backbone", backbone)
        self.answer_span = answer_span
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
