"""Texts as tokens that know where in the text they stand, in NumPy."""

import dataclasses
import re

import numpy as np

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class TokenSlices:
    """The tokens of many texts, end to end.

    Attributes:
        ids: int32 (N,), rows of the vocabulary.
        starts: int32 (N,), where a token begins in its text, in characters.
        limits: int32 (N,), where it ends: text[start:limit].
        splits: int64 (texts + 1,); text i has the tokens splits[i]:splits[i + 1].
    """

    ids: np.ndarray
    starts: np.ndarray
    limits: np.ndarray
    splits: np.ndarray

    def __len__(self):
        return len(self.splits) - 1

    def text(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """ids, starts and limits of text i."""
        part = slice(self.splits[i], self.splits[i + 1])
        return self.ids[part], self.starts[part], self.limits[part]


def token_slices(tokenizer, texts: list[str], chunk: int = 1024) -> TokenSlices:
    """Tokenizes texts in the graph of TensorFlow, `chunk` of them at a time.

    Args:
        tokenizer: a `BertTokenizer` or a `SentencePieceTokenizer`.
        texts: no special tokens are added. Halves of surrogate pairs, as JSON may have
            them, count as U+FFFD: UTF-8 has no bytes for them.
    """
    texts = [_SURROGATES.sub("\ufffd", text) for text in texts]
    parts, lengths = [], [np.zeros(1, "int64")]
    for start in range(0, len(texts), chunk):
        ragged = tokenizer.tokenize_with_offsets(texts[start : start + chunk])
        parts.append([part.flat_values.numpy() for part in ragged])
        lengths.append(ragged[0].row_lengths().numpy())
    columns = zip(*parts, strict=True) if parts else [[np.zeros(0, "int32")]] * 3
    return TokenSlices(
        *(np.concatenate(column).astype("int32") for column in columns),
        np.cumsum(np.concatenate(lengths)),
    )
