"""A model directory as a SavedModel: strings in, answers out, nothing else needed."""

import json
import tempfile
from pathlib import Path

import tensorflow as tf

from kbert.disk.whole_directories import write_directory
from kbert.export.model_card import card_of_embed, model_card
from kbert.export.servable import Servable, next_version
from kbert.export.served_model import ServedModel
from kbert.export.warm_up import write_warm_up
from kbert.signatures import MODEL_CARD


def write_saved_model(
    servable: Servable,
    output: str,
    pooling: str | None = None,
    normalize: bool | None = None,
    warm_up: bool = False,
) -> Path:
    """Writes OUTPUT/NAME/VERSION, the layout that TensorFlow Serving watches.

    Aside first and renamed when whole, under the next free version number.

    Args:
        servable: the model with its task and name.
        output: the directory of all served models.
        pooling, normalize: of `embed`; see `ServedEncoder`.
        warm_up: add a request for each signature; it needs kbert[grpc].

    Raises:
        ModuleNotFoundError: `warm_up` without kbert[grpc].

    Returns: the version's directory.
    """
    served = ServedModel(servable, pooling, normalize)
    card = model_card(servable, served.declared)
    card["embed"] = card_of_embed(served.text_vectors)
    version = next_version(Path(output) / servable.name)
    with write_directory(version) as aside, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / MODEL_CARD
        file.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", "utf-8")
        served.model_card = tf.saved_model.Asset(str(file))
        tf.saved_model.save(served, str(aside), signatures=served.functions())
        if warm_up:
            write_warm_up(aside, servable.name, served.declared)
    return version
