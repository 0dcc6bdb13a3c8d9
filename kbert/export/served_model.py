"""The root of a SavedModel: every function that a model can serve, and its weights."""

import inspect

import tensorflow as tf

from kbert.export.servable import Servable
from kbert.export.served_encoder import ServedEncoder
from kbert.models.backbone import backbone_of
from kbert.registry import kind_of, loaded
from kbert.signatures import Signature


class ServedModel(tf.Module):
    """A model, its text stage, and a TensorFlow function for each signature.

    What its kind can answer comes from the part that the registry names; every model
    has `ServedEncoder` beside it.

    Args:
        servable: the model, its tokenizer and its task.
        pooling, normalize: of `embed`; see `ServedEncoder`.

    Attributes:
        declared: the `Signature`s by name; the first is the task's own. (TensorFlow
            keeps the name `signatures` for itself.)
        sequence_length: tokens of a row.
        text_vectors: how `embed` makes a vector.
    """

    def __init__(
        self,
        servable: Servable,
        pooling: str | None = None,
        normalize: bool | None = None,
    ):
        super().__init__(name="served_model")
        model, length = servable.model, servable.sequence_length
        backbone = backbone_of(model)

        def apply_model(inputs):
            return model(inputs, training=False)

        self.parts, num_texts = [], 1
        if kind_of(model).served:
            own = loaded(kind_of(model).served).of(servable, apply_model)
            self.parts, num_texts = [own], own.num_texts
        encoder = ServedEncoder(
            backbone, servable.tokenizer, length, num_texts, pooling, normalize
        )
        self.parts.append(encoder)
        self.text_vectors = encoder.text_vectors
        self.sequence_length = length
        self.declared: dict[str, Signature] = {
            name: signature
            for part in self.parts
            for name, signature in part.signatures.items()
        }
        # The module owns the weights: a SavedModel holds what its root can reach.
        variables = [*model.variables, *backbone.variables]
        self.weights = list({id(v): v.value for v in variables}.values())

    def functions(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """A TensorFlow function for each signature; `serving_default` is the first."""
        functions = {
            name: _function(getattr(part, name), signature)
            for part in self.parts
            for name, signature in part.signatures.items()
        }
        return {"serving_default": next(iter(functions.values())), **functions}


def _function(method, signature):
    """One trace for all batches; inputs have their names, and their defaults."""
    names = [tensor.name for tensor in signature.inputs]
    specs = [
        tf.TensorSpec((None,) * len(tensor.shape) or None, tensor.dtype, tensor.name)
        for tensor in signature.inputs
    ]

    def call(*inputs, **named):
        return method(*inputs, *(named[name] for name in names[len(inputs) :]))

    # TensorFlow reads names and defaults from the signature of a Python function.
    call.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                tensor.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty
                if tensor.default is None
                else tf.constant(tensor.default, tensor.dtype),
            )
            for tensor in signature.inputs
        ]
    )
    call.__name__ = signature.name
    return tf.function(call, input_signature=specs, autograph=False)
