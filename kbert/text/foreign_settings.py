"""How other formats say, or do not say, how a vocabulary's text is normalised.

Hugging Face's directories are read by `kbert.text.huggingface_settings`.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.text.characters import has_accents
from kbert.text.vocabulary import Vocabulary

GOOGLE_CONFIG_FILE, GOOGLE_VOCABULARY_FILE = "bert_config.json", "vocab.txt"
KERASHUB_TOKENIZER, KERASHUB_PREPROCESSOR = "tokenizer.json", "preprocessor.json"
KERASHUB_VOCABULARY = Path("assets", "tokenizer", "vocabulary.txt")


def google_settings(directory: str | Path) -> dict:
    """How text is normalised for a checkpoint, as far as can be guessed.

    A Google directory does not say it. Its name does, where it is one of Google's
    ("uncased", "chinese" and "multilingual" lower-case, "cased" does not), or the
    vocabulary: a word with a capital makes it cased. Lower-casing strips accents too,
    in Google's code.

    Returns: `{"lowercase": True}` or False, an argument of `BertTokenizer`; `{}` where
        neither says anything.
    """
    directory = Path(directory).resolve()
    name = directory.name.lower()
    for word, lower_case in (
        ("uncased", True),
        ("cased", False),
        ("chinese", True),
        ("multilingual", True),
    ):
        if word in name:
            return {"lowercase": lower_case}
    file = directory / GOOGLE_VOCABULARY_FILE
    if not file.is_file():
        return {}
    text = file.read_text("utf-8", errors="replace")
    return {"lowercase": not any(map(_has_capital, _words(text.split("\n"))))}


def guessed_settings(tokens: Iterable[str]) -> dict:
    """How text is normalised for a vocabulary of which no file says it.

    One word with a capital could not be met in lower-cased text, so it is cased; if
    there is none, text is lower-cased. It then loses its accents, too, unless a token
    with one, or a Hangul syllable, shows that they were kept.

        >>> guessed_settings(["a", "##B"]), guessed_settings(["[CLS]", "a"])
        ({'lowercase': False}, {'lowercase': True})
        >>> guessed_settings(["a", "가"])
        {'lowercase': True, 'strip_accents': False}

    Returns: `lowercase` and, where it has to be said, `strip_accents`; with no word in
        Latin letters to judge by, `{"lowercase": False}`.
    """
    words = _words(tokens)
    if not any(map(str.isascii, words)) or any(map(_has_capital, words)):
        return {"lowercase": False}
    if any(map(has_accents, words)):
        return {"lowercase": True, "strip_accents": False}
    return {"lowercase": True}


def _words(tokens):
    bodies = (token.strip().removeprefix("##") for token in tokens)
    return [body for body in bodies if body.isalpha()]


def _has_capital(word):
    return word.isascii() and word != word.lower()


def said_guess(path: str | Path, tokens: Iterable[str]) -> dict:
    """`guessed_settings`, and a warning that says what was guessed, and why."""
    guessed = guessed_settings(tokens)
    if guessed["lowercase"]:
        kept = "" if guessed.get("strip_accents", True) else ", but keeps its accents"
        warnings.warn(
            f"{path} does not say how text is normalised; none of its tokens has a "
            f"capital, so that text is lower-cased{kept}. Pass lowercase, or a model "
            "directory, which says it.",
            stacklevel=3,
        )
    return guessed


def kerashub_settings(directory: str | Path) -> dict:
    """The arguments of `BertTokenizer` and `ReferenceTokenizer` that a preset fixes.

    KerasHub keeps accents unless told otherwise, when it lower-cases too, and its
    presets of Google's uncased models store it so, which Google trained without
    accents. So accents are stripped from what is lower-cased, whatever is stored,
    unless a token of the vocabulary could then not be met (a Korean syllable, an é).

    Returns: `vocabulary`, `lowercase`, `strip_accents` and `split_on_cjk`, which
        KerasHub does not store; True is its default.

    Raises:
        FileNotFoundError: the preset has no vocabulary.
        ValueError: a damaged file, or a tokenizer that does not split words or marks
            their continuations by something else than "##".
    """
    directory = Path(directory)
    vocabulary = directory / KERASHUB_VOCABULARY
    if not vocabulary.is_file():
        raise FileNotFoundError(
            f"Expected a vocabulary in {vocabulary}; the file is not there. Save the "
            "preset again with its preprocessor, or pass a vocabulary of your own."
        )
    if (directory / KERASHUB_TOKENIZER).is_file():
        stored = json_object(directory / KERASHUB_TOKENIZER).get("config") or {}
    elif (directory / KERASHUB_PREPROCESSOR).is_file():
        stored = json_object(directory / KERASHUB_PREPROCESSOR).get("config") or {}
        stored = (stored.get("tokenizer") or {}).get("config") or {}
    else:
        stored = {}
    for name, only in (("suffix_indicator", "##"), ("split", True)):
        if stored.get(name, only) != only:
            raise ValueError(
                f"Expected {name} {only!r} in the tokenizer of {directory}; it says "
                f"{stored[name]!r}, which kbert's tokenizers cannot do."
            )
    vocabulary = Vocabulary.read(vocabulary)
    lowercase = bool(stored.get("lowercase", False))
    strips = bool(stored.get("strip_accents", False))
    return {
        "vocabulary": vocabulary,
        "lowercase": lowercase,
        "strip_accents": strips or (lowercase and not _keeps_accents(vocabulary)),
        "split_on_cjk": bool(stored.get("split_on_cjk", True)),
    }


def _keeps_accents(vocabulary):
    """Whether a token that is not a special one could not be met without accents."""
    special = vocabulary.special_tokens
    return any(
        has_accents(token) for token in vocabulary.tokens if token not in special
    )
