"""Tokenizers of models wherever they lie: by path, a preset's name or a hub's handle.

Neither Keras nor TensorFlow is imported. A handle costs the tokenizer's files alone.
"""

from pathlib import Path

from kbert.checkpoints.local_path import tokenizer_path
from kbert.checkpoints.sentence_modules import lowercases
from kbert.text import tokenizer_files
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary


def load_vocabulary(model: str | Path) -> Vocabulary:
    """The vocabulary of a model, of a `vocab.txt` or of a `.model` file."""
    return tokenizer_files.load_vocabulary(tokenizer_path(model))


def load_reference_tokenizer(model: str | Path, **overrides) -> ReferenceTokenizer:
    """As `kbert.load_tokenizer`, but the `ReferenceTokenizer`, without TensorFlow.

    Args:
        model: a directory, a preset's name, a handle as "hf://owner/name", or a
            `vocab.txt`.
        **overrides: arguments of the tokenizer that rule over what the files say.

    Raises:
        ValueError: the vocabulary is a SentencePiece model, which it cannot read.
    """
    path = tokenizer_path(model)
    overrides = tokenizer_overrides(path, overrides)
    return tokenizer_files.load_reference_tokenizer(path, **overrides)


def load_light_tokenizer(model: str | Path, **overrides):
    """The `ReferenceTokenizer` where there is one, which needs no TensorFlow.

    Returns: that, or for a SentencePiece model what `kbert.load_tokenizer` gives.
    """
    path = tokenizer_path(model)
    overrides = tokenizer_overrides(path, overrides)
    return tokenizer_files.load_light_tokenizer(path, **overrides)


def tokenizer_overrides(path: Path, overrides: dict) -> dict:
    """Overrides, and what a sentence-transformers directory does before its tokenizer.

    Args:
        path: from `tokenizer_path`.
        overrides: arguments of the tokenizer that rule over all.
    """
    if "lowercase" in overrides or not lowercases(path):
        return overrides
    stored = tokenizer_files.tokenizer_arguments(path)
    if stored.get("lowercase") or "model" in stored:
        return overrides
    # The tokenizer goes on to do with accents what it did.
    stripped = stored.get("strip_accents") or False
    return {"lowercase": True, "strip_accents": stripped} | overrides
