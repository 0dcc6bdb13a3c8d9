"""A model's tensor part for LiteRT (TensorFlow Lite): phones and small devices."""

import tempfile
import warnings
from pathlib import Path

import tensorflow as tf

from kbert.export.servable import load_servable
from kbert.export.tensor_model import TensorModel, export_tensors

FILE = "model.tflite"


def export_litert(
    model: str, output: str = "litert_models", name: str | None = None
) -> Path:
    """Export a model's tensor part for LiteRT, checked in its interpreter.

    Ids go in and logits come out: tokenization, windows over long texts and the search
    for the answer are not inside. Written to OUTPUT/NAME/VERSION/model.tflite, float32,
    built-in ops only, with labels, the tokenizer's files and a card that names inputs
    and outputs beside it.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all models exported so.
        name: of this one; by default that of the model's directory.

    Raises:
        ValueError: a name that is no plain file name, weights that a head needs are
            missing, or outputs more than 1e-4 away from those of Keras.

    Returns: the version's directory.
    """
    facts = {"checked_in": f"tensorflow {tf.__version__}"}
    return export_tensors(
        load_servable(model, name), output, FILE, _convert, _open, facts
    )


def _convert(tensor_model: TensorModel, file: Path):
    # By way of a SavedModel: straight from the function, the converter would lose the
    # values of Keras' variables and compute NaN.
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(tensor_model, scratch, signatures=tensor_model.function)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        file.write_bytes(converter.convert())


def _open(file):
    with warnings.catch_warnings():  # "use ai_edge_litert": the same interpreter
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(file))
    runner = interpreter.get_signature_runner()
    return lambda inputs: runner(**inputs)
