"""A model directory, by path or by the name of a shipped preset: load and save."""

import json
import warnings
from pathlib import Path

import keras

from kbert.checkpoints import huggingface
from kbert.checkpoints.atomic import write_directory
from kbert.text.vocabulary import Vocabulary

PRESETS = Path(__file__).parents[1] / "presets"
VOCABULARY, TOKENIZER_CONFIG = "vocab.txt", "tokenizer_config.json"
# Fields of tokenizer_config.json and the arguments of our tokenizers that they set.
_TOKENIZER_FIELDS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "split_on_cjk",
}


def model_path(directory_or_preset: str | Path) -> Path:
    """The directory meant: an existing path, or the name of a shipped preset.

    Raises:
        FileNotFoundError: neither; names the presets there are.
    """
    path = Path(directory_or_preset)
    if path.is_dir():
        return path
    preset = PRESETS / path.name
    if path.name == str(path) and (preset / huggingface.CONFIG).is_file():
        return preset
    names = sorted(p.parent.name for p in PRESETS.glob(f"*/{huggingface.CONFIG}"))
    message = (
        "Expected a model directory or the name of a preset; "
        f"{directory_or_preset} is neither. Presets: {', '.join(names) or 'none'}."
    )
    left = sorted(path.parent.glob(f".{path.name}.old-*"))
    if left:
        message += f" A former content lies whole in {left[-1]}: rename it back."
    raise FileNotFoundError(message)


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
    if (directory / VOCABULARY).is_file():
        rows = getattr(model, "backbone", model).vocabulary_size
        check_vocabulary(load_vocabulary(directory), rows, directory)
    return model


def load_vocabulary(directory_or_file: str | Path) -> Vocabulary:
    """The vocabulary of a directory, or of a `vocab.txt` itself."""
    path = Path(directory_or_file)
    if not path.is_file():
        path = model_path(path) / VOCABULARY
    return Vocabulary.read(path)


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
            f"embedding in {directory}; {VOCABULARY} has {len(vocabulary)}. The "
            "vocabulary is that of another model."
        )
    if len(vocabulary) < rows:
        warnings.warn(
            f"{directory}: {VOCABULARY} has {len(vocabulary)} tokens for {rows} rows "
            "of the token embedding; the last rows are never used.",
            stacklevel=3,
        )


def tokenizer_arguments(directory_or_file: str | Path) -> dict:
    """The keyword arguments of a tokenizer: vocabulary and normalisation.

    A `vocab.txt` alone says nothing of normalisation; the tokenizers' defaults hold.
    """
    path = Path(directory_or_file)
    if path.is_file():
        return {"vocabulary": load_vocabulary(path)}
    path = model_path(path)
    arguments = {"vocabulary": load_vocabulary(path)}
    settings = path / TOKENIZER_CONFIG
    if settings.is_file():
        stored = json.loads(settings.read_text("utf-8"))
        for theirs, ours in _TOKENIZER_FIELDS.items():
            if theirs in stored:
                arguments[ours] = stored[theirs]
    return arguments


def load_tokenizer(directory_or_preset: str | Path):
    """The `BertTokenizer` of a model directory, a `vocab.txt` or a preset."""
    from kbert.text.tokenizer import BertTokenizer

    return BertTokenizer(**tokenizer_arguments(directory_or_preset))


def write_tokenizer(
    tokenizer, directory: Path, sequence_length: int | None = None
) -> None:
    """Writes `vocab.txt` and `tokenizer_config.json` into an existing directory.

    `sequence_length`: the longest input of the model, where there is one already.
    """
    tokenizer.vocabulary.write(directory / VOCABULARY)
    settings = {"tokenizer_class": "BertTokenizer"}
    for theirs, ours in _TOKENIZER_FIELDS.items():
        settings[theirs] = getattr(tokenizer, ours)
    if sequence_length:
        settings["model_max_length"] = sequence_length
    text = json.dumps(settings, ensure_ascii=False, indent=2)
    (directory / TOKENIZER_CONFIG).write_text(text + "\n", "utf-8")


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
        tokenizer: a `BertTokenizer` or `ReferenceTokenizer`; None leaves the directory
            without a vocabulary.
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
