"""The files of a tokenizer, read and written without TensorFlow and without Keras.

    vocab.txt              one token a line; the line is the id
    spiece.model           a SentencePiece model, in place of vocab.txt; beside one,
                           vocab.txt gives the ids of its pieces (KoBERT)
    tokenizer_config.json  how text is normalised, how special tokens are spelled

Fields of tokenizer_config.json have Hugging Face's names where it has one.
"""

import json
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.text.foreign_settings import (
    GOOGLE_CONFIG_FILE,
    KERASHUB_VOCABULARY,
    google_settings,
    kerashub_settings,
)
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_model import read_model, vocabulary_of
from kbert.text.vocabulary import Vocabulary

PRESETS = Path(__file__).parents[1] / "presets"
VOCABULARY, TOKENIZER_CONFIG = "vocab.txt", "tokenizer_config.json"
SENTENCEPIECE = "spiece.model"
# Where a SentencePiece model is looked for, in this order.
_SENTENCEPIECE_NAMES = (SENTENCEPIECE, "sentencepiece.model", "tokenizer_*.model")
# Fields of tokenizer_config.json: the argument of our tokenizers, and its type.
_WORDPIECE_FIELDS = {
    "do_lower_case": ("lowercase", bool),
    "strip_accents": ("strip_accents", bool),
    "tokenize_chinese_chars": ("split_on_cjk", bool),
    "compatibility": ("compatibility", str),
    "max_characters_per_word": ("max_characters_per_word", int),
}
_SPECIAL_FIELDS = {
    "pad_token": ("pad_token", str),
    "unk_token": ("unknown_token", str),
    "cls_token": ("cls_token", str),
    "sep_token": ("sep_token", str),
    "mask_token": ("mask_token", str),
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
    if path.name == str(path) and (preset / "config.json").is_file():
        return preset
    names = sorted(p.parent.name for p in PRESETS.glob("*/config.json"))
    message = (
        "Expected a model directory or the name of a preset; "
        f"{directory_or_preset} is neither. Presets: {', '.join(names) or 'none'}."
    )
    left = sorted(path.parent.glob(f".{path.name}.old-*"))
    if left:
        message += f" A former content lies whole in {left[-1]}: rename it back."
    raise FileNotFoundError(message)


def vocabulary_file(directory: Path) -> Path | None:
    """A directory's SentencePiece model, else its `vocab.txt` or KerasHub's, or None.

    Raises:
        ValueError: two models of one kind of name.
    """
    for name in _SENTENCEPIECE_NAMES:
        found = sorted(directory.glob(name))
        if len(found) > 1:
            raise ValueError(
                f"Expected one SentencePiece model in {directory}; there are "
                f"{', '.join(file.name for file in found)}. Keep one of them."
            )
        if found:
            return found[0]
    for path in (directory / VOCABULARY, directory / KERASHUB_VOCABULARY):
        if path.is_file():
            return path
    return None


def load_vocabulary(directory_or_file: str | Path) -> Vocabulary:
    """The vocabulary of a directory, of a `vocab.txt` or of a `.model` file."""
    arguments = tokenizer_arguments(directory_or_file)
    if "model" not in arguments:
        return arguments["vocabulary"]
    special = {name: arguments.get(name) for name, _ in _SPECIAL_FIELDS.values()}
    special = {name: token for name, token in special.items() if token is not None}
    model = read_model(arguments["model"])
    return vocabulary_of(model, arguments.get("vocabulary"), **special)


def tokenizer_arguments(directory_or_file: str | Path) -> dict:
    """The keyword arguments of a tokenizer: vocabulary and normalisation.

    A file alone says nothing of normalisation; the tokenizers' defaults hold.

    Returns: the arguments of `BertTokenizer` and `ReferenceTokenizer`; or, with `model`
        (a path) among them, those of `SentencePieceTokenizer`.

    Raises:
        FileNotFoundError: no such directory or preset, or no vocabulary in it.
        ValueError: a damaged vocabulary; a `tokenizer_config.json` that is not JSON or
            has a field of a wrong type.
    """
    path = Path(directory_or_file)
    if path.is_file():
        if path.suffix == ".model":
            return {"model": path}
        return {"vocabulary": Vocabulary.read(path)}
    directory = model_path(path)
    file = vocabulary_file(directory)
    if file is None:
        raise FileNotFoundError(
            f"Expected {VOCABULARY} or a SentencePiece model "
            f"({', '.join(_SENTENCEPIECE_NAMES)}) in {directory}; there is none."
        )
    if file == directory / KERASHUB_VOCABULARY:
        return kerashub_settings(directory)
    settings = directory / TOKENIZER_CONFIG
    stored = json_object(settings) if settings.is_file() else {}
    special = _arguments(stored, _SPECIAL_FIELDS, directory)
    if file.name == VOCABULARY:
        fields = _arguments(stored, _WORDPIECE_FIELDS, directory)
        if not stored and (directory / GOOGLE_CONFIG_FILE).is_file():
            fields = google_settings(directory)
        return {"vocabulary": Vocabulary.read(file, **special)} | fields
    arguments = {"model": file} | special
    if (directory / VOCABULARY).is_file():
        arguments["vocabulary"] = Vocabulary.read(directory / VOCABULARY, **special)
    return arguments


def load_tokenizer(directory_or_preset: str | Path, **overrides):
    """The tokenizer of a model directory, a `vocab.txt`, a `.model` file or a preset.

    Args:
        directory_or_preset: where its files are.
        **overrides: arguments of the tokenizer that rule over what the files say.

    Returns: a `SentencePieceTokenizer` where there is a SentencePiece model, else a
        `BertTokenizer`.
    """
    arguments = tokenizer_arguments(directory_or_preset) | overrides
    if "model" in arguments:
        from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer

        return SentencePieceTokenizer(**arguments)
    from kbert.text.tokenizer import BertTokenizer

    return BertTokenizer(**arguments)


def load_reference_tokenizer(
    directory_or_preset: str | Path, **overrides
) -> ReferenceTokenizer:
    """As `load_tokenizer`, but the `ReferenceTokenizer`; imports no TensorFlow.

    Raises:
        ValueError: the vocabulary is a SentencePiece model, which it cannot read.
    """
    arguments = tokenizer_arguments(directory_or_preset) | overrides
    if "model" in arguments:
        raise ValueError(
            "Expected a WordPiece vocabulary for ReferenceTokenizer; "
            f"{directory_or_preset} holds a SentencePiece model. Use load_tokenizer."
        )
    return ReferenceTokenizer(**arguments)


def load_light_tokenizer(directory_or_preset: str | Path, **overrides):
    """The `ReferenceTokenizer` where there is one, which needs no TensorFlow.

    Returns: that, or for a SentencePiece model what `load_tokenizer` gives.
    """
    if "model" in tokenizer_arguments(directory_or_preset):
        return load_tokenizer(directory_or_preset, **overrides)
    return load_reference_tokenizer(directory_or_preset, **overrides)


def write_tokenizer(
    tokenizer, directory: Path, sequence_length: int | None = None
) -> None:
    """Writes a tokenizer's files into an existing directory.

    `vocab.txt`, or `spiece.model` (with `vocab.txt` where a list of its own gives the
    ids); and `tokenizer_config.json`. `special_tokens_in_text` is not kept: whoever
    loads the tokenizer for text that may spell them says so again.

    Args:
        tokenizer: a `BertTokenizer`, `ReferenceTokenizer` or `SentencePieceTokenizer`.
        directory: where to.
        sequence_length: the longest input of the model, where there is one already.
    """
    vocabulary, config = tokenizer.vocabulary, tokenizer.get_config()
    name = "SentencePiece" if tokenizer.is_sentencepiece else "Bert"
    settings = {"tokenizer_class": f"{name}Tokenizer"}
    if tokenizer.is_sentencepiece:
        (directory / SENTENCEPIECE).write_bytes(read_model(config["model"]).data)
    for theirs, (ours, _) in _WORDPIECE_FIELDS.items():
        settings[theirs] = config.get(ours)
    if config["vocabulary"] is not None:
        vocabulary.write(directory / VOCABULARY)
    for theirs, (ours, _) in _SPECIAL_FIELDS.items():
        settings[theirs] = getattr(vocabulary, ours)
    settings["model_max_length"] = sequence_length
    settings = {name: value for name, value in settings.items() if value is not None}
    text = json.dumps(settings, ensure_ascii=False, indent=2)
    (directory / TOKENIZER_CONFIG).write_text(text + "\n", "utf-8")


def _arguments(stored, fields, directory):
    """Fields of `tokenizer_config.json` as arguments; null counts as not there."""
    arguments = {}
    for theirs, (ours, kind) in fields.items():
        value = stored.get(theirs)
        if isinstance(value, dict) and "content" in value:
            value = value["content"]  # how transformers stores a token with its flags
        if value is None:
            continue
        if type(value) is not kind:
            words = {bool: "true or false", str: "a string", int: "an integer"}
            raise ValueError(
                f"Expected {words[kind]} for {theirs} in {directory / TOKENIZER_CONFIG}"
                f"; it says {json.dumps(value, ensure_ascii=False)}. Correct it there."
            )
        arguments[ours] = value
    return arguments
