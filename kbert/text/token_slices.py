"""Texts as tokens that know where in the text they stand, in NumPy."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class TokenSlices:
    """The tokens of many texts, end to end.

        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !".split()
        >>> ReferenceTokenizer(tokens).slices(["embed !", ""])
        TokenSlices(ids=array([5, 6, 8], dtype=int32),
                    starts=array([0, 2, 6], dtype=int32),
                    limits=array([2, 5, 7], dtype=int32), splits=array([0, 3, 3]))

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


def joined_slices(parts: list[tuple], lengths: list) -> TokenSlices:
    """Chunks of texts as one.

    Args:
        parts: ids, starts and limits of each chunk, (tokens,) each.
        lengths: int (texts,) of each chunk, tokens of each text.
    """
    nothing = np.zeros(0, "int32")
    columns = zip((nothing, nothing, nothing), *parts, strict=True)
    return TokenSlices(
        *(np.concatenate(column).astype("int32") for column in columns),
        np.cumsum(np.concatenate([[0], *lengths])).astype("int64"),
    )
