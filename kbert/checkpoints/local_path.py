"""Where a model lies on this machine, found without opening it."""

import re
from pathlib import Path

from kbert.checkpoints.hubs import HF, is_handle, resolve, resolve_tokenizer
from kbert.checkpoints.sentence_modules import transformer_directory
from kbert.text.tokenizer_files import model_path

_ON_A_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")  # owner/name


def local_path(model: str | Path) -> Path:
    """Where a model lies: a path that exists, a preset's, or a handle's download.

    What comes out may be put in again: a command asks a hub once, and goes on with the
    path. Of an old sentence-transformers directory it is the folder of its BERT.

    Raises:
        FileNotFoundError: neither, or the hub has no such model.
    """
    path = resolve(model) if is_handle(model) else existing_path(model)
    return transformer_directory(path) if path.is_dir() else path


def tokenizer_path(model: str | Path) -> Path:
    """As `local_path`, of a tokenizer: of a hub's model, no weights are downloaded.

    Args:
        model: as of `local_path`; or a vocabulary file.

    Raises:
        FileNotFoundError: as `local_path`, or the hub's model has no vocabulary.
    """
    path = resolve_tokenizer(model) if is_handle(model) else existing_path(model)
    return transformer_directory(path) if path.is_dir() else path


def existing_path(model: str | Path) -> Path:
    """As `local_path`, of anything but a handle.

    Raises:
        FileNotFoundError: neither a path that exists nor a preset's name.
    """
    path = Path(model)
    # A TF1 checkpoint's path is that of no file: its files are PATH.index, PATH.data-…
    if path.is_file() or path.with_name(f"{path.name}.index").is_file():
        return path
    try:
        return model_path(model)
    except FileNotFoundError as error:
        if not _ON_A_HUB.fullmatch(str(model)):
            raise
        raise FileNotFoundError(
            f"{error} A model on Hugging Face's hub is {HF}://{model}."
        ) from None
