"""What `kbert doctor` looks at, and what it finds."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from kbert.text.vocabulary import Vocabulary

WORDS = "bert.embeddings.word_embeddings.weight"
POSITIONS = "bert.embeddings.position_embeddings.weight"
SEGMENTS = "bert.embeddings.token_type_embeddings.weight"
# Among the settings: whether tokenizer_config.json says do_lower_case itself.
IS_SAID = "is_do_lower_case_said"


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that ruins results, or may.

    Attributes:
        level: "error" (results are wrong), "warning" (look at it) or "note" (as it
            often is; good to know).
        what: what is so, how much of it, and what it does.
        change: what to change, and where.
        check: the title of the check that found it.
    """

    level: str
    what: str
    change: str
    check: str = ""


@dataclasses.dataclass(frozen=True)
class Case:
    """A model directory as it lies there, whether or not it loads.

    Attributes:
        config: `config.json`; None if it cannot be read.
        settings: `tokenizer_config.json`, with `do_lower_case` and `strip_accents` as
            `load_tokenizer` takes them where the file does not say them.
        vocabulary: None if there is none that can be read, or no tokenizer at all.
        tensors: Hugging Face's name -> array, read when it is asked for; None if there
            are none that can be read.
        google_config: Google's `bert_config.json`, where it lies beside `config.json`.
        is_sentencepiece: the vocabulary is a SentencePiece model's, which normalises
            text by rules of its own.
    """

    config: dict | None
    settings: dict
    vocabulary: Vocabulary | None
    tensors: Mapping[str, np.ndarray] | None
    google_config: dict | None = None
    is_sentencepiece: bool = False

    @functools.cached_property
    def words(self) -> np.ndarray | None:
        """The token embedding (V, D)."""
        return self.tensors.get(WORDS) if self.tensors is not None else None

    @property
    def lowercase(self) -> bool:
        """As kbert's tokenizers take it."""
        return bool(self.settings.get("do_lower_case"))

    @property
    def is_lowercase_said(self) -> bool:
        """Whether `tokenizer_config.json` says so, or a default or a guess does."""
        return self.settings.get(IS_SAID, "do_lower_case" in self.settings)

    @property
    def decomposes(self) -> bool:
        """NFD and no accents; follows `lowercase` where nothing is said."""
        strips = self.settings.get("strip_accents")
        return self.lowercase if strips is None else bool(strips)


def counted(number: int, what: str) -> str:
    """A number and what it counts.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def quoted(tokens, most: int = 5) -> str:
    """Some of them, for a message.

    >>> print(quoted(["a", "b"]), quoted(["a", "b"], most=1))
    "a", "b" "a", …
    """
    shown = ", ".join(f'"{token}"' for token in list(tokens)[:most])
    return shown + (", …" if len(tokens) > most else "")
