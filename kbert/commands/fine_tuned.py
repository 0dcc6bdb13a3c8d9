"""The directory of a fine-tuned model, known to be one before it is loaded."""

from pathlib import Path

from kbert.checkpoints.local_path import local_path
from kbert.disk.json_object import json_object
from kbert.registry import fine_tuned_kind


def fine_tuned_path(model: str | Path) -> Path:
    """Where a fine-tuned model lies; a handle is downloaded.

    Directories that say nothing of themselves, as those of other formats, pass: loading
    them tells.

    Raises:
        FileNotFoundError: no such model.
        ValueError: it is a model of another kind, or `config.json` is no object.
    """
    path = local_path(model)
    file = path / "config.json"
    if file.is_file():
        config = json_object(file)
        if "model_type" in config:
            fine_tuned_kind(config)
    return path
