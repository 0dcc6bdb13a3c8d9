"""A model's tensor part for LiteRT (TensorFlow Lite): phones and small devices."""

import tempfile
import warnings
from pathlib import Path

import tensorflow as tf

from kbert.export.servable import Servable
from kbert.export.tensor_model import TensorModel, export_tensors

FILE = "model.tflite"


def write_litert(servable: Servable, output: str) -> Path:
    """Writes OUTPUT/NAME/VERSION/model.tflite, checked in LiteRT's interpreter.

    Args:
        servable: the model with its task and name.
        output: the directory of all models exported so.

    Raises:
        ValueError: outputs more than 1e-4 away from those of Keras.

    Returns: the version's directory.
    """
    facts = {"checked_in": f"tensorflow {tf.__version__}"}
    return export_tensors(servable, output, FILE, _convert, _open, facts)


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
