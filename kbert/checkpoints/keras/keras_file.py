"""A model in one `.keras` file, as Keras itself writes it.

The file holds the weights, what `get_config` says, and the optimizer's state if the
model was compiled; no vocabulary and no labels. A model directory holds those too.
"""

import json
import zipfile
from pathlib import Path

import keras

from kbert.disk.whole_directories import refuse_existing
from kbert.disk.whole_files import write_file
from kbert.registry import KINDS, kind_of

SUFFIX = ".keras"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


def is_keras_file(path: str | Path) -> bool:
    """Whether a path is a file whose name ends in ".keras"."""
    path = Path(path)
    return path.suffix == SUFFIX and path.is_file()


def write_keras(model: keras.Model, path: str | Path, overwrite: bool = False) -> Path:
    """Writes a `.keras` file: aside first, renamed when whole.

    Args:
        model: one of kbert's models.
        path: where to; the name ends in ".keras".
        overwrite: replace a file that exists.

    Returns: the path.

    Raises:
        FileExistsError: the file exists and `overwrite` is False.
        ValueError: another class of model, or another ending.
    """
    path = Path(path)
    kind_of(model)
    if path.suffix != SUFFIX:
        raise ValueError(f"Expected a name that ends in {SUFFIX}; got {path.name}.")
    refuse_existing(path, overwrite and not path.is_dir(), kind="file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_file(path) as aside:
        keras.saving.save_model(model, aside)
    return path


def read_keras(path: str | Path) -> keras.Model:
    """The model of a `.keras` file that holds one of kbert's, uncompiled.

    Keras' safe mode is on: nothing in the file is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a `.keras` file, a truncated or damaged one, or one of a model
            that is not kbert's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a {SUFFIX} file; {path} does not exist.")
    _check(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"Expected a {SUFFIX} file of this version of kbert in {path}; "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    kind_of(model)
    return model


def _check(path):
    """Whole, and of one of our classes; asked before anything is built of it."""
    damaged = "The file is truncated or damaged: copy or download it again."
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"Expected a {SUFFIX} file, which is a zip archive; {path} is not. If its "
            f"name is right: {damaged[0].lower()}{damaged[1:]}"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            absent = {_CONFIG, _WEIGHTS} - set(archive.namelist())
            if absent:
                raise ValueError(
                    f"Expected {' and '.join(sorted(absent))} in {path}, as in every "
                    f"{SUFFIX} file; it is another zip archive."
                )
            bad = archive.testzip()
            if bad is not None:
                raise zipfile.BadZipFile(f"{bad} in it is not")
            stored = json.loads(archive.read(_CONFIG))
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"Expected a whole {SUFFIX} file in {path}; {error}. {damaged}"
        ) from None
    stored = stored if isinstance(stored, dict) else {}
    name = stored.get("registered_name") or stored.get("class_name")
    ours = [f"kbert>{kind.model_name}" for kind in KINDS.values()]
    if name not in ours:
        raise ValueError(
            f"Expected a {SUFFIX} file of one of {', '.join(ours)} in {path}; it is of "
            f"{name}. Load that with keras.saving.load_model after importing its code."
        )
