"""How other formats say, or do not say, how a vocabulary's text is normalised.

Hugging Face's `tokenizer_config.json` is read by `kbert.text.tokenizer_files`.
"""

import re
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary

GOOGLE_CONFIG_FILE, GOOGLE_VOCABULARY_FILE = "bert_config.json", "vocab.txt"
KERASHUB_TOKENIZER, KERASHUB_PREPROCESSOR = "tokenizer.json", "preprocessor.json"
KERASHUB_VOCABULARY = Path("assets", "tokenizer", "vocabulary.txt")


def google_settings(directory: str | Path) -> dict:
    """How text is normalised for a checkpoint, as far as can be guessed.

    A Google directory does not say it. Its name does, where it is one of Google's
    ("uncased", "chinese" and "multilingual" lower-case, "cased" does not), or the
    vocabulary: one word with an upper-case letter could not be met in lower-cased
    text, so it is cased; if there is none, it is lower-cased. Lower-casing strips
    accents too, in Google's code.

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
    words = re.findall(r"^(?:##)?([A-Za-z]+)\s*$", text, re.MULTILINE)
    return {"lowercase": all(word == word.lower() for word in words)}


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
        "strip_accents": strips or (lowercase and not _has_accents(vocabulary)),
        "split_on_cjk": bool(stored.get("split_on_cjk", True)),
    }


def _has_accents(vocabulary):
    """Whether stripping accents would change a token that is not a special one."""
    strip = ReferenceTokenizer(vocabulary, strip_accents=True, split_on_cjk=False).words
    keep = ReferenceTokenizer(vocabulary, split_on_cjk=False).words
    special = vocabulary.special_tokens
    return any(
        strip(token) != keep(token)
        for token in vocabulary.tokens
        if token not in special
    )
