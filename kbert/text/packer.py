"""Token ids of one or two segments to the dense inputs of a BERT."""

from typing import NamedTuple

import keras
import tensorflow as tf

from kbert.features import PADDING_MASK, SEGMENT_IDS, TOKEN_IDS


@keras.saving.register_keras_serializable(package="kbert")
class MultiSegmentPacker(keras.layers.Layer):
    """One or two ragged segments to `token_ids`, `segment_ids` and `padding_mask`.

    Gives [CLS] A [SEP] or [CLS] A [SEP] B [SEP], then padding. What does not fit is cut
    off the ends, one token at a time from the longer segment, from B when they are
    equal (`_truncate_seq_pair` of google-research/bert's `run_classifier.py`).

        >>> packer = MultiSegmentPacker(8, cls_id=2, sep_id=3, pad_id=0)
        >>> first, second = tf.ragged.constant([[7, 8]]), tf.ragged.constant([[9]])
        >>> for name, rows in packer((first, second)).items():
        ...     print(name, rows.numpy().tolist())
        token_ids    [[2, 7, 8, 3, 9, 3, 0, 0]]
        segment_ids  [[0, 0, 0, 0, 1, 1, 0, 0]]
        padding_mask [[1, 1, 1, 1, 1, 1, 0, 0]]

    Args:
        sequence_length: L, in tokens, special ones counted; at least 3 for one segment,
            5 for two.
        cls_id, sep_id, pad_id: ids of the special tokens, as the vocabulary has them.

    Raises:
        ValueError: a `sequence_length` too small for the segments given, segments that
            are not ragged (B, None), or other than one or two of them.
    """

    def __init__(self, sequence_length, cls_id, sep_id, pad_id, **kwargs):
        super().__init__(**kwargs)
        self.sequence_length = sequence_length
        self.cls_id = cls_id
        self.sep_id = sep_id
        self.pad_id = pad_id
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

    def call(self, segments):
        """Packs a batch.

        Args:
            segments: ragged int32 (B, None), or a tuple of one or two of them.

        Returns:
            dict of int32 (B, L): `token_ids`; `segment_ids`, 1 for B and its [SEP];
            `padding_mask`, 1 for every token and 0 for padding.
        """
        segments = self._checked(segments)
        budget = self.sequence_length - 1 - len(segments)  # beside [CLS] and [SEP]s
        lengths = [tf.cast(s.row_lengths(), tf.int32) for s in segments]
        kept = truncated_lengths(*lengths, *[0] * (2 - len(lengths)), budget)
        slices = [
            Slices(s.flat_values, tf.cast(s.row_starts(), tf.int32), n)
            for s, n in zip(segments, kept)
        ]
        special = self.cls_id, self.sep_id, self.pad_id
        outputs = pack_slices(slices, *special, self.sequence_length)
        shape = (segments[0].shape[0], self.sequence_length)
        return {name: tf.ensure_shape(x, shape) for name, x in outputs.items()}

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "cls_id": self.cls_id,
            "sep_id": self.sep_id,
            "pad_id": self.pad_id,
        }

    def _checked(self, segments):
        if not isinstance(segments, tuple | list):
            segments = (segments,)
        if len(segments) not in (1, 2):
            raise ValueError(
                f"segments must be one or two ragged tensors; got {len(segments)}."
            )
        for segment in segments:
            if not isinstance(segment, tf.RaggedTensor) or segment.shape.rank != 2:
                raise ValueError(
                    "Each segment must be a ragged tensor of the shape (B, None); got "
                    f"{segment!r}. Use the output of BertTokenizer."
                )
        needed = 1 + 2 * len(segments)
        if self.sequence_length < needed:
            raise ValueError(
                f"sequence_length must be at least {needed} for {len(segments)} "
                f"segment(s) with their special tokens; got {self.sequence_length}."
            )
        if len(segments) == 2:
            tf.debugging.assert_equal(
                segments[0].nrows(),
                segments[1].nrows(),
                message="Both segments must have the same number of rows.",
            )
        return segments


class Slices(NamedTuple):
    """One segment of each row, as slices of one line of ids.

    Attributes:
        values: int (tokens,).
        starts, lengths: int32 (B,): values[start:start + length].
    """

    values: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor


def pack_slices(segments, cls_id, sep_id, pad_id, length=None):
    """Rows of [CLS] A [SEP] (B [SEP]), which fit, filled with [PAD].

        >>> values, starts = tf.constant([7, 8, 9]), tf.constant([0, 1])
        >>> segment = Slices(values, starts, lengths=tf.constant([2, 1]))
        >>> packed = pack_slices([segment], cls_id=2, sep_id=3, pad_id=0)
        >>> packed["token_ids"].numpy().tolist()
        [[2, 7, 8, 3], [2, 8, 3, 0]]

    Args:
        segments: one or two `Slices`.
        cls_id, sep_id, pad_id: ids of the special tokens.
        length: L; by default that of the longest row.

    Returns: dict of int32 (B, L): `token_ids`, `segment_ids`, `padding_mask`.
    """
    first_end = 1 + segments[0].lengths[:, None]  # (B, 1): where A's [SEP] stands
    second_end = first_end
    if len(segments) == 2:
        second_end = first_end + 1 + segments[1].lengths[:, None]
    if length is None:
        length = tf.reduce_max(tf.concat([second_end[:, 0], [-1]], axis=0)) + 1

    # One gather fills the batch: the values of A, those of B, [CLS], [SEP], [PAD].
    special = tf.constant([cls_id, sep_id, pad_id])
    values = [tf.cast(s.values, tf.int32) for s in segments]
    cls_index = tf.add_n([tf.size(v) for v in values])
    position = tf.range(length)[None, :]  # (1, L)
    index = segments[0].starts[:, None] + position - 1  # (B, L)
    if len(segments) == 2:
        start = tf.size(values[0]) + segments[1].starts[:, None]
        index = tf.where(position > first_end, start + position - first_end - 1, index)
    is_sep = (position == first_end) | (position == second_end)
    index = tf.where(is_sep, cls_index + 1, index)
    index = tf.where(position > second_end, cls_index + 2, index)
    index = tf.where(position == 0, cls_index, index)

    is_token = position <= second_end
    return {
        TOKEN_IDS.name: tf.gather(tf.concat([*values, special], axis=0), index),
        SEGMENT_IDS.name: tf.cast((position > first_end) & is_token, tf.int32),
        PADDING_MASK.name: tf.cast(is_token, tf.int32),
    }


def truncated_lengths(first, second, budget):
    """How many tokens of each segment stay when `budget` tokens fit, in closed form.

    The same as taking one token at a time from the longer segment, from the second
    when they are equal, until the sum fits.

        >>> first, second = tf.constant([5, 2]), tf.constant([9, 9])
        >>> [x.numpy().tolist() for x in truncated_lengths(first, second, budget=9)]
        [[5, 2], [4, 7]]

    Args:
        first, second: lengths in tokens, int32 tensors of one shape, or 0.
        budget: int, tokens that fit.
    """
    first_kept = tf.minimum(first, tf.maximum(budget - second, budget - budget // 2))
    return first_kept, tf.minimum(second, budget - first_kept)
