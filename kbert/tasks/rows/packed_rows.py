"""Packed inputs of many texts, kept without padding, and batches of like length."""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from kbert.text.numpy_packer import PackedIds, padded

_ROUND_LENGTH_TO = 8  # few distinct shapes, and whole vectors of the CPU


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """Rows of [CLS] a [SEP] (b [SEP]), end to end.

    Attributes:
        token_ids: int32 (N,), all rows.
        segment_ids: int32 (N,).
        starts: int64 (rows + 1,); row i is the slice starts[i]:starts[i + 1].
        pad_id: what `batch` fills up with.
        sequence_length: the most that a batch is padded to.
        rows_per_example: rows of the model behind each that `batch` is asked for; more
            than one where an example has several, as a question with its choices.
    """

    rows_per_example: ClassVar[int] = 1

    token_ids: np.ndarray
    segment_ids: np.ndarray
    starts: np.ndarray
    pad_id: int
    sequence_length: int

    @classmethod
    def of(cls, packed: PackedIds, vocabulary, sequence_length: int) -> "PackedRows":
        """What `numpy_packer.pack` gave, with the vocabulary's padding."""
        ids = packed.token_ids, packed.segment_ids
        return cls(*ids, packed.starts, vocabulary.pad_id, sequence_length)

    def __len__(self):
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 (rows,), in tokens."""
        return np.diff(self.starts)

    def batch(self, rows: np.ndarray) -> dict:
        """The backbone's inputs for some rows, padded to the longest of them.

        Lengths are rounded up to a multiple of 8.

            >>> ids, starts = np.array([2, 7, 3, 2, 7, 8, 9, 3]), np.array([0, 3, 8])
            >>> rows = PackedRows(ids, np.zeros_like(ids), starts, 0, 64)
            >>> batch = rows.batch([0, 1])
            >>> batch["token_ids"].tolist()
            [[2, 7, 3, 0, 0, 0, 0, 0], [2, 7, 8, 9, 3, 0, 0, 0]]
            >>> batch["padding_mask"].tolist()
            [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]]
        """
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        longest = -(-longest // _ROUND_LENGTH_TO) * _ROUND_LENGTH_TO
        longest = min(longest, self.sequence_length)
        place = np.arange(longest)
        keep = place < lengths[:, None]
        source = (self.starts[rows][:, None] + place)[keep]
        return {
            "token_ids": padded(keep, self.token_ids[source], self.pad_id),
            "segment_ids": padded(keep, self.segment_ids[source], 0),
            "padding_mask": keep.astype("int32"),
        }


def pack_rows(preprocessor, columns: list[list[str]], chunk: int = 1024) -> PackedRows:
    """Tokenizes and packs texts, in the graph of TensorFlow.

    Args:
        preprocessor: a `BertPreprocessor`.
        columns: one list of texts, or two of equal length for pairs.
        chunk: texts per call of the graph.
    """
    import tensorflow as tf

    from kbert.text.graph_strings import as_strings

    strings = tuple(map(as_strings, columns))
    dataset = tf.data.Dataset.from_tensor_slices(strings).batch(chunk)
    dataset = dataset.map(
        lambda *texts: preprocessor(texts if len(texts) > 1 else texts[0]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    token_ids, segment_ids, lengths = [], [], [np.zeros(1, "int64")]
    for packed in dataset.as_numpy_iterator():
        keep = packed["padding_mask"] == 1
        token_ids.append(packed["token_ids"][keep])
        segment_ids.append(packed["segment_ids"][keep])
        lengths.append(keep.sum(axis=1))
    return PackedRows(
        np.concatenate(token_ids),
        np.concatenate(segment_ids),
        np.cumsum(np.concatenate(lengths)),
        preprocessor.tokenizer.vocabulary.pad_id,
        preprocessor.sequence_length,
    )


def within_budget(lengths: np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Row numbers of batches of like length, for a model's answers.

    Of 32 tokens, rounded lengths fill 2 x 8 and 2 x 16:

        >>> [rows.tolist() for rows in within_budget(np.array([9, 2, 9, 3]), 32)]
        [[1, 3], [0, 2]]

    Args:
        token_budget: the most tokens of a batch, filling counted; a row that is longer
            is a batch by itself.
    """
    order = np.argsort(lengths, kind="stable")
    filled = -(-lengths // _ROUND_LENGTH_TO) * _ROUND_LENGTH_TO
    start = 0
    while start < len(order):
        ahead = filled[order[start : start + token_budget]]
        sizes = ahead * np.arange(1, len(ahead) + 1)  # never falls
        count = max(1, int(np.searchsorted(sizes, token_budget, "right")))
        yield order[start : start + count]
        start += count


def shuffled_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, window: int = 50
) -> Iterator[np.ndarray]:
    """Row numbers of one epoch's batches, texts of like length together.

    Rows are shuffled, each window of 50 batches is sorted by length and cut, and the
    batches are shuffled. The order is a pure function of (seed, epoch). The last,
    smaller batch is filled up with other rows, so that every batch, and each replica's
    share of it, has the same size; nothing is left out.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    short = -len(order) % batch_size
    order = np.concatenate([order, np.resize(order, short)])
    batches = []
    for start in range(0, len(order), window * batch_size):
        part = order[start : start + window * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += np.split(part, len(part) // batch_size)
    for index in rng.permutation(len(batches)):
        yield batches[index]
