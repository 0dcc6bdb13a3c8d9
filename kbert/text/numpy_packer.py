"""Token ids of one or two segments as rows of a BERT, in NumPy.

What `kbert.text.packer` does in the graph of TensorFlow, for rows without padding, end
to end; pre-training and the tasks make theirs here.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class PackedIds:
    """Rows of [CLS] A [SEP] (B [SEP]), end to end.

    Attributes:
        token_ids: int32 (N,), all rows.
        segment_ids: int32 (N,), 1 for B and its [SEP].
        starts: int64 (R + 1,); row i is the slice starts[i]:starts[i + 1].
        is_special: bool (N,), True at [CLS] and [SEP].
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    starts: np.ndarray
    is_special: np.ndarray


def pack(
    values: np.ndarray,
    segments: Sequence[tuple[np.ndarray, np.ndarray]],
    cls_id: int,
    sep_id: int,
) -> PackedIds:
    """Packs slices of one array of ids.

        >>> first = np.array([0, 2]), np.array([2, 3])  # the second row has no B
        >>> second = np.array([2, 1]), np.array([3, 0])
        >>> packed = pack(np.array([7, 8, 9]), [first, second], cls_id=2, sep_id=3)
        >>> packed.token_ids.tolist(), packed.starts.tolist()
        ([2, 7, 8, 3, 9, 3, 2, 9, 3], [0, 6, 9])
        >>> packed.segment_ids.tolist()
        [0, 0, 0, 0, 1, 1, 0, 0, 0]

    Args:
        values: int (V,), what the segments are slices of.
        segments: one or two pairs of int (R,), starts and limits of each row's A, and
            of its B; a limit below its start says that the row has no such segment.
        cls_id, sep_id: as the vocabulary has them.
    """
    begins = np.stack([starts for starts, _ in segments], axis=1)  # (R, S)
    limits = np.stack([limits for _, limits in segments], axis=1)
    blocks = np.maximum(limits - begins + 1, 0)  # the tokens and [SEP]
    blocks[:, 0] += 1  # [CLS]
    first = begins.copy()  # what stands in a block's first place
    first[:, 0] -= 1
    lengths = blocks.ravel()
    ends = np.cumsum(lengths)
    starts = np.concatenate([[0], ends[blocks.shape[1] - 1 :: blocks.shape[1]]])
    num_tokens = int(starts[-1])
    source = np.repeat(first.ravel() - (ends - lengths), lengths)  # (N,)
    source += np.arange(num_tokens)
    if not len(values):
        values = np.zeros(1, "int32")
    # At special tokens the place is one off, and may be outside; they are filled in.
    token_ids = np.asarray(values).take(source, mode="clip")
    token_ids = token_ids.astype("int32", copy=False)
    cls, sep = starts[:-1], ends[lengths > 0] - 1
    token_ids[cls], token_ids[sep] = cls_id, sep_id
    is_special = np.zeros(num_tokens, bool)
    is_special[cls] = is_special[sep] = True
    if blocks.shape[1] == 1:
        segment_ids = np.zeros(num_tokens, "int32")
    else:
        number = np.tile(np.arange(blocks.shape[1], dtype="int32"), len(blocks))
        segment_ids = np.repeat(number, lengths)
    return PackedIds(token_ids, segment_ids, starts, is_special)


def padded(keep: np.ndarray, values: np.ndarray, filling) -> np.ndarray:
    """Rows of different length as one array.

        >>> keep = np.array([[True, True], [True, False]])
        >>> padded(keep, np.array([7, 8, 9]), 0).tolist()
        [[7, 8], [9, 0]]

    Args:
        keep: bool (B, L), where there is a token and no padding.
        values: (tokens,), row after row.
        filling: what stands elsewhere.
    """
    array = np.full(keep.shape, filling, values.dtype)
    array[keep] = values
    return array


def truncated_lengths(first, second, budget):
    """How many tokens of each segment stay when `budget` tokens fit.

    As `kbert.text.packer.truncated_lengths`, for integers and arrays of NumPy.

        >>> [x.tolist() for x in truncated_lengths(np.array([5, 2]), 9, budget=9)]
        [[5, 2], [4, 7]]
    """
    first_kept = np.minimum(first, np.maximum(budget - second, budget - budget // 2))
    return first_kept, np.minimum(second, budget - first_kept)
