"""A model directory, by path or by the name of a shipped preset: load and save."""

import warnings
from pathlib import Path

import keras

from kbert.checkpoints.formats import find_checkpoint
from kbert.checkpoints.huggingface import directory as huggingface
from kbert.checkpoints.huggingface.sentence_transformers import (
    read_text_vectors,
    write_text_vectors,
)
from kbert.checkpoints.keras.keras_file import is_keras_file, read_keras
from kbert.checkpoints.local_path import local_path, tokenizer_path
from kbert.checkpoints.model_builder import build, variables_of
from kbert.checkpoints.tokenizers import (
    load_reference_tokenizer,
    load_vocabulary,
    tokenizer_overrides,
)
from kbert.checkpoints.weight_transfer import LoadReport
from kbert.disk.whole_directories import write_directory
from kbert.models.backbone import backbone_of
from kbert.registry import kind_of
from kbert.text import tokenizer_files
from kbert.text.tokenizer_files import (
    PRESETS,
    model_path,
    tokenizer_arguments,
    vocabulary_file,
    write_tokenizer,
)
from kbert.text.tokenizers_file import ForeignTokenizerError
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
    "load_with_report",
    "local_path",
    "model_path",
    "save",
    "tokenizer_arguments",
    "write_tokenizer",
]


def load(
    directory_or_preset: str | Path, dtype=None, head: str | None = None
) -> keras.Model:
    """Loads the model that a checkpoint holds, with its head.

    Args:
        directory_or_preset: a directory in one of the formats of
            `kbert.checkpoints.formats` (Hugging Face's, as `kbert.save` and
            transformers write it, Google's, the Model Garden's, KerasHub's); the path
            of a TF1 checkpoint; a `.keras` file; the name of a preset; or a model on a
            hub, as "hf://owner/name" (`kbert.checkpoints.hubs`).
        dtype: Keras dtype policy, as "mixed_bfloat16"; None for the global one, or for
            the file's own if it is a `.keras` file.
        head: "backbone", "pretrainer", "text_classifier", "token_classifier" or
            "question_answerer": makes this model instead of the checkpoint's own. Its
            head is filled if the checkpoint has it too, else newly initialised.

    Returns: `BertBackbone` or one of the models with a head.

    Raises:
        FileNotFoundError: no such directory or preset, or a file of it is missing.
        ValueError: a damaged file, files that do not belong together, or another
            architecture.
    """
    return _load(directory_or_preset, head, dtype)[0]


def load_backbone(directory_or_preset: str | Path, dtype=None) -> keras.Model:
    """As `load`, but the `BertBackbone` alone, whatever head the checkpoint holds."""
    return _load(directory_or_preset, "backbone", dtype)[0]


def load_with_report(
    directory_or_preset: str | Path, dtype=None, head: str | None = None
) -> tuple[keras.Model, LoadReport]:
    """As `load`, and what became of every tensor: used, ignored and why, missing."""
    return _load(directory_or_preset, head, dtype)


def load_tokenizer(directory_or_preset: str | Path, **overrides):
    """The tokenizer of a model, wherever `load` finds it.

    Args:
        directory_or_preset: as in `load`; or a `vocab.txt` or a SentencePiece `.model`.
        **overrides: arguments of the tokenizer that rule over what the files say.

    Returns: a `SentencePieceTokenizer` where there is a SentencePiece model, else a
        `BertTokenizer`.
    """
    path = tokenizer_path(directory_or_preset)
    return tokenizer_files.load_tokenizer(path, **tokenizer_overrides(path, overrides))


def _load(directory_or_preset, head, dtype):
    path = local_path(directory_or_preset)
    if is_keras_file(path):
        return _load_keras(path, head, dtype)
    model, report = build(find_checkpoint(path), head, dtype)
    directory = path if path.is_dir() else path.parent
    try:  # of a model with a head, the answers are wanted
        if model is backbone_of(model):
            model.text_vectors = read_text_vectors(directory)
    except ValueError as error:
        warnings.warn(
            f"{directory}: its own vectors of texts are not computed. {error}",
            stacklevel=3,
        )
    if vocabulary_file(directory):
        _check_own_vocabulary(model, directory)
    return model, report


def _check_own_vocabulary(model, directory):
    try:
        vocabulary = load_vocabulary(directory)
    except ForeignTokenizerError as error:  # of use with other ids all the same
        warnings.warn(f"The model is loaded without a tokenizer. {error}", stacklevel=4)
        return
    check_vocabulary(vocabulary, backbone_of(model).vocabulary_size, directory)


def _load_keras(path, head, dtype):
    if dtype is not None:
        raise ValueError(
            f"Expected no dtype for {path}: a .keras file has its own. Load it, "
            "kbert.save it as a directory, and load that with a dtype."
        )
    model = read_keras(path)
    if head == "backbone":
        model = backbone_of(model)
    elif head not in (None, kind_of(model).head):
        held = kind_of(model).head
        raise ValueError(
            f"Expected no other head for {path}: it holds a {held}. Put a new head on "
            f" kbert.load_backbone({str(path)!r})."
        )
    variables = variables_of(model)
    return model, LoadReport(
        filled={
            # Not of a variable, where it is put together of several.
            name: (getattr(variable, "path", name),)
            for name, variable in variables.items()
        },
        newly_initialised=(),
        ignored={},
        shapes={name: tuple(variable.shape) for name, variable in variables.items()},
        format="Keras",
        path=path,
        head=kind_of(model).head,
    )


def check_vocabulary(vocabulary: Vocabulary, rows: int, directory: Path) -> None:
    """Vocabulary and embedding must belong together.

    Raises:
        ValueError: more tokens than rows: an id would have no vector.

    Warns where there are fewer: rows that no token reaches, as some published models
    have, filled up to a round number.
    """
    _refuse_more_tokens(vocabulary, rows, directory)
    if len(vocabulary) < rows:
        warnings.warn(
            f"{directory}: the vocabulary has {len(vocabulary)} tokens for {rows} "
            "rows of the token embedding; the last rows are never used.",
            stacklevel=3,
        )


def _refuse_more_tokens(vocabulary, rows, directory):
    if len(vocabulary) > rows:
        raise ValueError(
            f"Expected a vocabulary of at most {rows} tokens, the rows of the token "
            f"embedding in {directory}; it has {len(vocabulary)}: another model's."
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
        model: a `BertBackbone` or one of the models with a head. The weights of one
            quantized to int8 are written as the float32 numbers they stand for.
        directory: where to.
        tokenizer: a `BertTokenizer`, `SentencePieceTokenizer` or `ReferenceTokenizer`;
            None leaves the directory without a vocabulary.
        config: more fields of `config.json`, as a task's `to_config()` gives.
        overwrite: replace a directory that exists.

    Returns: the directory.

    Raises:
        FileExistsError: the directory exists and `overwrite` is False.
        OSError: the disk is full, or may not be written to; nothing half-written is
            left, and a directory that was there before is whole.
        ValueError: more tokens in the vocabulary than rows in the embedding, or labels
            in `config` that are not as many as the model's classes; or a model that
            was quantized in a way that is not undone here (GPTQ, AWQ).
    """
    backbone = backbone_of(model)
    config = dict(config or {})
    if tokenizer is not None:
        vocabulary = tokenizer.vocabulary
        _refuse_more_tokens(vocabulary, backbone.vocabulary_size, Path(directory))
        config.setdefault("pad_token_id", vocabulary.pad_id)
    with write_directory(directory, overwrite) as aside:
        huggingface.write_model(model, aside, config)
        if model is backbone and backbone.text_vectors is not None:
            sizes = backbone.hidden_dim, backbone.max_sequence_length
            write_text_vectors(backbone.text_vectors, aside, *sizes)
        if tokenizer is not None:
            write_tokenizer(tokenizer, aside, backbone.max_sequence_length)
    return Path(directory)
