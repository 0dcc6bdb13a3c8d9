"""The files of a tokenizer, read and written without TensorFlow and without Keras.

    vocab.txt              one token a line; the line is the id
    spiece.model           a SentencePiece model, in place of vocab.txt; beside one,
                           vocab.txt gives the ids of its pieces (KoBERT)
    tokenizer_config.json  how text is normalised, how special tokens are spelled, which
                           tokens were added
    tokenizer.json         all of it for Hugging Face's `tokenizers`; also read where
                           there is no vocab.txt

Fields of tokenizer_config.json have Hugging Face's names where it has one.
"""

import json
from pathlib import Path

from kbert.text.foreign_settings import (
    GOOGLE_CONFIG_FILE,
    KERASHUB_VOCABULARY,
    google_settings,
    kerashub_settings,
    said_guess,
)
from kbert.text.huggingface_added_tokens import written_added_tokens
from kbert.text.huggingface_settings import (
    MODEL_CONFIG,
    SPECIAL_FIELDS,
    TOKENIZER_CONFIG,
    VOCABULARY,
    WORDPIECE_FIELDS,
    added_tokens_said,
    check_tokenizer_class,
    huggingface_arguments,
    special_arguments,
    tokenizers_file_arguments,
    with_added_tokens,
)
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_model import read_model, vocabulary_of
from kbert.text.tokenizers_file import (
    TOKENIZERS_FILE,
    is_tokenizers_file,
    write_tokenizers_file,
)
from kbert.text.vocabulary import Vocabulary

PRESETS = Path(__file__).parents[1] / "presets"
SENTENCEPIECE = "spiece.model"
# Where a SentencePiece model is looked for, in this order.
_SENTENCEPIECE_NAMES = (SENTENCEPIECE, "sentencepiece.model", "tokenizer_*.model")


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
    """A directory's vocabulary, or None.

    A SentencePiece model, else a `vocab.txt`, that of KerasHub's, or a `tokenizer.json`
    of Hugging Face's.

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
    path = directory / TOKENIZERS_FILE
    return path if is_tokenizers_file(path) else None


def load_vocabulary(directory_or_file: str | Path) -> Vocabulary:
    """The vocabulary of a directory, of a `vocab.txt` or of a `.model` file."""
    path = Path(directory_or_file)
    if path.is_file() and path.suffix not in (".model", ".json"):
        return Vocabulary.read(path)
    arguments = tokenizer_arguments(directory_or_file)
    if "model" not in arguments:
        return arguments["vocabulary"]
    special = {name: arguments.get(name) for name, _ in SPECIAL_FIELDS.values()}
    special = {name: token for name, token in special.items() if token is not None}
    model = read_model(arguments["model"])
    return vocabulary_of(model, arguments.get("vocabulary"), **special)


def tokenizer_arguments(directory_or_file: str | Path, **overrides) -> dict:
    """The keyword arguments of a tokenizer: vocabulary and normalisation.

    A directory of Hugging Face's that does not say how text is normalised has its
    defaults (`kbert.text.huggingface_settings`). A vocabulary alone says nothing:
    whether it is cased is guessed from its tokens, with a warning.

    Args:
        directory_or_file: a model directory, a preset's name, a `vocab.txt`, a
            `tokenizer.json` or a SentencePiece `.model`.
        **overrides: arguments that rule over what the files say.

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
            return {"model": path} | overrides
        if path.suffix == ".json":
            return tokenizers_file_arguments(path) | overrides
        return _alone(path, overrides)
    directory = model_path(path)
    file = vocabulary_file(directory)
    if file is None:
        raise FileNotFoundError(
            f"Expected {VOCABULARY}, {TOKENIZERS_FILE} or a SentencePiece model "
            f"({', '.join(_SENTENCEPIECE_NAMES)}) in {directory}; there is none."
        )
    if file == directory / KERASHUB_VOCABULARY:
        return kerashub_settings(directory) | overrides
    if file.name in (VOCABULARY, TOKENIZERS_FILE):
        said = (TOKENIZER_CONFIG, TOKENIZERS_FILE, MODEL_CONFIG)
        if (directory / GOOGLE_CONFIG_FILE).is_file() and not any(
            (directory / name).is_file() for name in said[:2]
        ):
            fields = google_settings(directory)
            return {"vocabulary": Vocabulary.read(file)} | fields | overrides
        if not any((directory / name).is_file() for name in said):
            return _alone(file, overrides)
        return huggingface_arguments(directory) | overrides
    return _sentencepiece_arguments(file, directory) | overrides


def _sentencepiece_arguments(file, directory):
    special = special_arguments(directory)
    arguments = {"model": file} | special
    own = directory / VOCABULARY
    if own.is_file():
        arguments["vocabulary"] = Vocabulary.read(own, **special)
    if added_tokens_said(directory):
        vocabulary = vocabulary_of(
            read_model(file), arguments.get("vocabulary"), **special
        )
        arguments["vocabulary"] = with_added_tokens(vocabulary, directory, file)
    return arguments


def _alone(path, overrides):
    vocabulary = Vocabulary.read(path)
    guessed = {}
    if "lowercase" not in overrides:
        guessed = said_guess(path, vocabulary.tokens)
    return {"vocabulary": vocabulary} | guessed | overrides


def load_tokenizer(directory_or_preset: str | Path, **overrides):
    """The tokenizer of a model directory, a `vocab.txt`, a `.model` file or a preset.

    Args:
        directory_or_preset: where its files are.
        **overrides: arguments of the tokenizer that rule over what the files say.

    Returns: a `SentencePieceTokenizer` where there is a SentencePiece model, else a
        `BertTokenizer`.
    """
    arguments = _checked_arguments(directory_or_preset, overrides)
    if "model" in arguments:
        from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer

        return SentencePieceTokenizer(**arguments)
    from kbert.text.tokenizer import BertTokenizer

    return BertTokenizer(**arguments)


def _checked_arguments(directory_or_preset, overrides):
    path = Path(directory_or_preset)
    arguments = tokenizer_arguments(path, **overrides)
    if "model" not in arguments and not path.is_file():
        check_tokenizer_class(model_path(path))
    return arguments


def load_reference_tokenizer(
    directory_or_preset: str | Path, **overrides
) -> ReferenceTokenizer:
    """As `load_tokenizer`, but the `ReferenceTokenizer`; imports no TensorFlow.

    Raises:
        ValueError: the vocabulary is a SentencePiece model, which it cannot read.
    """
    arguments = _checked_arguments(directory_or_preset, overrides)
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
    arguments = _checked_arguments(directory_or_preset, overrides)
    if "model" in arguments:
        return load_tokenizer(directory_or_preset, **overrides)
    return ReferenceTokenizer(**arguments)


def write_tokenizer(
    tokenizer, directory: Path, sequence_length: int | None = None
) -> None:
    """Writes a tokenizer's files into an existing directory.

    `vocab.txt` and `tokenizer.json`, or `spiece.model` (with `vocab.txt` where a list
    of its own gives the ids); and `tokenizer_config.json`. `special_tokens_in_text` is
    not kept: say so again when you load the tokenizer for text that may spell them.

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
    for theirs, (ours, _) in WORDPIECE_FIELDS.items():
        settings[theirs] = config.get(ours)
    if config["vocabulary"] is not None:
        vocabulary.write_pieces(directory / VOCABULARY)
    settings |= written_added_tokens(vocabulary)
    for theirs, (ours, _) in SPECIAL_FIELDS.items():
        settings[theirs] = getattr(vocabulary, ours)
    settings["model_max_length"] = sequence_length
    settings = {name: value for name, value in settings.items() if value is not None}
    text = json.dumps(settings, ensure_ascii=False, indent=2)
    (directory / TOKENIZER_CONFIG).write_text(text + "\n", "utf-8")
    if not tokenizer.is_sentencepiece:
        write_tokenizers_file(tokenizer, directory)
