"""What every tokenizer is to its callers in Python, without TensorFlow and NumPy.

Three classes keep it: `BertTokenizer` and `SentencePieceTokenizer`, which are Keras
layers besides and take tensors of strings in the graph, and `ReferenceTokenizer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kbert.disk.text_lines import whole_characters
from kbert.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from kbert.text.token_slices import TokenSlices


@runtime_checkable
class Tokenizer(Protocol):
    """Strings in, lists and arrays out; one string counts as a batch of one.

        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !".split()
        >>> tokenizer = ReferenceTokenizer(tokens)
        >>> tokenizer.ids(["embed!", ""]), tokenizer.ids("embed!")
        ([[5, 6, 8], []], [[5, 6, 8]])
        >>> tokenizer.pieces(["embed!", ""])
        [['em', '##bed', '!'], []]
        >>> ids, starts, limits = tokenizer.slices(["", "embed!"]).text(1)
        >>> ids.tolist(), starts.tolist(), limits.tolist()
        ([5, 6, 8], [0, 2, 5], [2, 5, 6])
        >>> tokenizer.texts([[2, 5, 6, 3]])
        ['embed']

    No [CLS] or [SEP] is added. Halves of surrogate pairs count as U+FFFD.

    Attributes:
        vocabulary: a token's place in it is its id.
        special_tokens_in_text: whether, or which, special tokens that a text spells are
            taken for what they spell.
        is_sentencepiece: whether the pieces are those of a SentencePiece model, with
            "▁" before what begins a word; else of WordPiece, with "##" before what
            continues one.
        in_graph: whether it is a Keras layer, for tensors of strings.
        sequence_length: None: a tokenizer cuts nothing off.
    """

    vocabulary: Vocabulary
    special_tokens_in_text: bool | list[str]
    is_sentencepiece: bool
    in_graph: bool
    sequence_length: None

    def ids(self, texts: str | Iterable[str]) -> list[list[int]]:
        """The ids of each text."""

    def pieces(self, texts: str | Iterable[str]) -> list[list[str]]:
        """The tokens of each text, as the vocabulary spells them."""

    def located(self, texts: str | Iterable[str]) -> list[list[tuple[int, int, int]]]:
        """(id, start, limit) of each token of each text; `slices` as lists."""

    def slices(self, texts: str | Iterable[str]) -> TokenSlices:
        """The ids of all texts, and where in its text each token stands."""

    def texts(self, ids: Iterable[Iterable[int]]) -> list[str]:
        """The text of each row of ids, special tokens left out."""

    def filled(self, before: str, token: str, after: str) -> str:
        """A text with a token where a mask was, with or without a space before it."""

    def with_special_tokens_in_text(self, which: bool | list[str]) -> Tokenizer:
        """The same tokenizer but for `special_tokens_in_text`."""

    def as_reference(self):
        """The `ReferenceTokenizer` that gives the same ids.

        Raises:
            ValueError: the pieces are SentencePiece's.
        """

    def get_config(self) -> dict:
        """The arguments that `from_config` makes it again from."""


def as_texts(texts: str | Iterable[str]) -> list[str]:
    """A batch of texts, one string being a batch of one; halves of pairs mended.

        >>> as_texts("a"), as_texts(("a", "b")), ascii(as_texts(["\\ud83d"]))
        (['a'], ['a', 'b'], "['\\\\ufffd']")

    Raises:
        ValueError: something among them is no string.
    """
    if isinstance(texts, str):
        texts = [texts]
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(
                f"Expected a string or a batch of strings; got {text!r} among them. "
                "Tensors of strings go to the tokenizer itself: tokenizer(tensor)."
            )
    return [whole_characters(text) for text in texts]


def as_rows(ids: Iterable[Iterable[int]]) -> list[list[int]]:
    """Rows of ids as lists of Python's integers.

    Raises:
        ValueError: one row in place of a batch of them.
    """
    rows = list(ids)
    if any(not isinstance(row, Iterable) for row in rows):
        raise ValueError(
            f"Expected rows of ids, one for each text; got {rows[:5]!r}. Put a single "
            "row in a list."
        )
    return [[int(id) for id in row] for row in rows]


def as_tokenizer(value) -> Tokenizer:
    """The value itself, if it keeps the protocol.

    Raises:
        ValueError: it does not.
    """
    if not isinstance(value, Tokenizer):
        raise ValueError(
            "Expected a ReferenceTokenizer or a BertTokenizer; got "
            f"{type(value).__name__}."
        )
    return value
