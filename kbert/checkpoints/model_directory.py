"""A model directory, by path or by the name of a shipped preset: load and save."""

import warnings
from pathlib import Path

import keras

from kbert.checkpoints import huggingface
from kbert.checkpoints.atomic import write_directory
from kbert.text.tokenizer_files import (
    PRESETS,
    load_reference_tokenizer,
    load_tokenizer,
    load_vocabulary,
    model_path,
    tokenizer_arguments,
    vocabulary_file,
    write_tokenizer,
)
from kbert.text.vocabulary import Vocabulary

# Whoever has a model directory finds its tokenizer here too.
__all__ = [
    "PRESETS",
    "check_vocabulary",
    "load",
    "load_backbone",
    "load_reference_tokenizer",
    "load_tokenizer",
    "load_vocabulary",
    "model_path",
    "save",
    "tokenizer_arguments",
    "write_tokenizer",
]


def load(directory_or_preset: str | Path, dtype=None) -> keras.Model:
    """Loads the model a directory holds, with its head.

    Args:
        directory_or_preset: a Hugging Face BERT directory, as `kbert.save` and
            transformers write it, or the name of a preset.
        dtype: Keras dtype policy, as "mixed_bfloat16"; None for the global one.

    Returns: `BertBackbone`, `BertPretrainer` or `BertTextClassifier`, by
        `config.json`.

    Raises:
        FileNotFoundError: no such directory or preset, or a file of it is missing.
        ValueError: a damaged file, or files that do not belong together.
    """
    return _load(directory_or_preset, None, dtype)


def load_backbone(directory_or_preset: str | Path, dtype=None) -> keras.Model:
    """As `load`, but the `BertBackbone` alone, whatever head the directory holds."""
    return _load(directory_or_preset, "BertModel", dtype)


def _load(directory_or_preset, architecture, dtype):
    directory = model_path(directory_or_preset)
    model, _ = huggingface.read_model(directory, architecture, dtype)
    if vocabulary_file(directory):
        rows = getattr(model, "backbone", model).vocabulary_size
        check_vocabulary(load_vocabulary(directory), rows, directory)
    return model


def check_vocabulary(vocabulary: Vocabulary, rows: int, directory: Path) -> None:
    """Vocabulary and embedding must belong together.

    Raises:
        ValueError: more tokens than rows: an id would have no vector.

    Warns where there are fewer: rows that no token reaches, as some published models
    have, filled up to a round number.
    """
    if len(vocabulary) > rows:
        raise ValueError(
            f"Expected a vocabulary of at most {rows} tokens, the rows of the token "
            f"embedding in {directory}; it has {len(vocabulary)}: another model's."
        )
    if len(vocabulary) < rows:
        warnings.warn(
            f"{directory}: the vocabulary has {len(vocabulary)} tokens for {rows} "
            "rows of the token embedding; the last rows are never used.",
            stacklevel=3,
        )


def save(
    model: keras.Model,
    directory: str | Path,
    tokenizer=None,
    config: dict | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a model directory: aside first, renamed when whole.

    Args:
        model: a `BertBackbone`, `BertPretrainer` or `BertTextClassifier`.
        directory: where to.
        tokenizer: a `BertTokenizer`, `SentencePieceTokenizer` or `ReferenceTokenizer`;
            None leaves the directory without a vocabulary.
        config: more fields of `config.json`, as a task's `to_config()` gives.
        overwrite: replace a directory that exists.

    Returns: the directory.

    Raises:
        FileExistsError: the directory exists and `overwrite` is False.
        ValueError: more tokens in the vocabulary than rows in the embedding.
    """
    backbone = getattr(model, "backbone", model)
    config = dict(config or {})
    if tokenizer is not None:
        vocabulary = tokenizer.vocabulary
        check_vocabulary(vocabulary, backbone.vocabulary_size, Path(directory))
        config.setdefault("pad_token_id", vocabulary.pad_id)
    with write_directory(directory, overwrite) as aside:
        huggingface.write_model(model, aside, config)
        if tokenizer is not None:
            write_tokenizer(tokenizer, aside, backbone.max_sequence_length)
    return Path(directory)
