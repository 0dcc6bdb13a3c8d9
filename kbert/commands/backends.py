"""Which of Keras' backends a command runs on, known before Keras is imported.

tensorflow   everything
jax, torch   all but what TensorFlow graphs are made of: exports, the demo,
             --strategy mirrored
others       what does not train, as far as they compute
"""

import json
import os
import sys
from pathlib import Path

from kbert.commands.early_checks import UsageError

# Those whose `fit` trains.
TRAINING = ("tensorflow", "jax", "torch")


def keras_backend() -> str:
    """The backend that Keras has, or will have: KERAS_BACKEND, or keras.json's."""
    if sys.modules.get("keras"):
        return sys.modules["keras"].config.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        settings = json.loads(Path(home, "keras.json").read_text("utf-8"))
        return settings["backend"]
    except (OSError, ValueError, LookupError, TypeError):
        return "tensorflow"


def check_backend(what: str, backends: tuple[str, ...] = ("tensorflow",)) -> None:
    """Refuses what the backend cannot do, before anything is done.

    Args:
        what: that needs it, as the subject of a sentence.
        backends: those that can.

    Raises:
        UsageError: it is another.
    """
    backend = keras_backend()
    if backend in backends:
        return
    raise UsageError(
        f"{what} needs Keras' backend {' or '.join(backends)}; KERAS_BACKEND is "
        f"{backend}. Set KERAS_BACKEND={backends[0]} for this command: a model's "
        "directory is the same for every backend."
    )
