"""BERT for one text or a pair of texts and one answer."""

import keras

from kbert.layers.initializer import kernel_initializer
from kbert.layers.quantization import (
    model_from_config,
    quantize_model,
    quantized_config,
)
from kbert.models.pretrainer import in_float32, warn_of_probabilities


@keras.saving.register_keras_serializable(package="kbert")
class BertTextClassifier(keras.Model):
    """A `BertBackbone`, dropout and a dense layer on the pooled output.

    Inputs (a dict): those of the backbone; a pair of texts is packed into them.

    Output: float32 logits (B, C), C = `num_classes`. Of the last block only [CLS] is
    computed.

    The loss is to take logits, as `SparseCategoricalCrossentropy(from_logits=True)`, or
    `BinaryCrossentropy(from_logits=True)` where classes do not exclude each other;
    "sparse_categorical_crossentropy" takes probabilities and trains on nonsense.

    Args:
        backbone: a `BertBackbone`; shared, not copied.
        num_classes: C, at least 1.
        dropout: share of the pooled output dropped in training; None takes the
            backbone's.

    Raises:
        ValueError: `num_classes` is below 1.
    """

    def __init__(self, backbone, num_classes, dropout=None, name=None):
        if num_classes < 1:
            raise ValueError(f"num_classes must be at least 1; got {num_classes}.")
        dropout = backbone.dropout if dropout is None else dropout

        # === Layers ===
        dropout_layer = keras.layers.Dropout(
            dropout, dtype=backbone.policy, name="pooled_dropout"
        )
        logits = keras.layers.Dense(
            num_classes,
            kernel_initializer=kernel_initializer(backbone.initializer_range),
            dtype=backbone.policy,
            name="classifier",
        )

        # === Functional model ===
        pooled_output = backbone.pooler(backbone.rows_at()[:, 0])  # (B, D)
        outputs = in_float32(logits(dropout_layer(pooled_output)), "logits")
        super().__init__(
            inputs=backbone.input, outputs=outputs, name=name or "text_classifier"
        )

        # === Config ===
        self.backbone = backbone
        self.num_classes = num_classes
        self.dropout = dropout
        self.classifier = logits
        self.dtype_policy = backbone.training_policy(self)

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
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
