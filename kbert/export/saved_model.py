"""A model directory as a SavedModel: strings in, answers out, nothing else needed."""

import json
import tempfile
from pathlib import Path

import tensorflow as tf

from kbert.disk.whole_directories import write_directory
from kbert.export.model_card import model_card
from kbert.export.servable import load_servable, next_version
from kbert.export.served_model import ServedModel
from kbert.export.warm_up import write_warm_up
from kbert.signatures import MODEL_CARD


def export_saved_model(
    model: str,
    output: str = "saved_models",
    name: str | None = None,
    pooling: str = "mean",
    normalize: bool = False,
    warm_up: bool = False,
) -> Path:
    """Export a model as a SavedModel that takes strings.

    It is written to OUTPUT/NAME/VERSION, the layout that TensorFlow Serving watches:
    aside first and renamed when whole, under the next free version number.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all served models.
        name: of this one; by default that of the model's directory.
        pooling: of `embed`: mean of a text's tokens, or cls.
        normalize: scale the vectors of `embed` to the length 1.
        warm_up: add a request for each signature, which TensorFlow Serving answers for
            itself before it takes others. It needs kbert[grpc].

    Raises:
        ModuleNotFoundError: `warm_up` without kbert[grpc].
        ValueError: a name that is no plain file name, or weights that a head needs are
            missing.

    Returns: the version's directory.
    """
    servable = load_servable(model, name)
    served = ServedModel(servable, pooling, normalize)
    card = model_card(servable, served.declared)
    version = next_version(Path(output) / servable.name)
    with write_directory(version) as aside, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / MODEL_CARD
        file.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", "utf-8")
        served.model_card = tf.saved_model.Asset(str(file))
        tf.saved_model.save(served, str(aside), signatures=served.functions())
        if warm_up:
            write_warm_up(aside, servable.name, served.declared)
    return version
