"""The root of a SavedModel: every function that a model can serve, and its weights."""

import inspect

import keras
import tensorflow as tf

from kbert.checkpoints.model_builder import head_of
from kbert.export.served_classifier import ServedClassifier
from kbert.export.served_encoder import ServedEncoder
from kbert.export.served_pretrainer import ServedPretrainer
from kbert.export.served_question_answerer import ServedQuestionAnswerer
from kbert.export.served_tagger import ServedTagger
from kbert.signatures import Signature
from kbert.tasks.task import Task

_TASK_PARTS = {
    "text_classifier": ServedClassifier,
    "token_classifier": ServedTagger,
    "question_answerer": ServedQuestionAnswerer,
}


class ServedModel(tf.Module):
    """A model, its text stage, and a TensorFlow function for each signature.

    Args:
        model: any of kbert's Keras models.
        tokenizer: its tokenizer.
        task: that of a fine-tuned model, else None.
        has_next_sentence: whether a pre-trained model was trained for it.
        pooling, normalize: of `embed`; see `ServedEncoder`.

    Attributes:
        declared: the `Signature`s by name; the first is the task's own. (TensorFlow
            keeps the name `signatures` for itself.)
        sequence_length: tokens of a row.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer,
        task: Task | None = None,
        has_next_sentence: bool = True,
        pooling: str = "mean",
        normalize: bool = False,
    ):
        super().__init__(name="served_model")
        backbone = getattr(model, "backbone", model)
        length = task.sequence_length if task else backbone.max_sequence_length
        head = head_of(model)
        is_pair = head == "question_answerer" or (
            head == "text_classifier" and len(task.text_columns) == 2
        )
        encoder = ServedEncoder(
            backbone, tokenizer, length, 1 + is_pair, pooling, normalize
        )

        def apply_model(inputs):
            return model(inputs, training=False)

        self.parts = [encoder]
        if task is not None:
            own = _TASK_PARTS[head](apply_model, tokenizer, task)
            self.parts = [own, encoder]
        elif head == "pretrainer":
            own = ServedPretrainer(apply_model, tokenizer, length, has_next_sentence)
            self.parts = [own, encoder]
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
        tf.TensorSpec((None,) if tensor.shape else None, tensor.dtype, tensor.name)
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
