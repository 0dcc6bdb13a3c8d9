"""Rows of special tokens and slices, and the same rows as the graph packs."""

import numpy as np
import pytest
import tensorflow as tf

from kbert.text.numpy_packer import pack, padded, truncated_lengths
from kbert.text.packer import MultiSegmentPacker
from kbert.text.packer import truncated_lengths as truncated_in_graph


def columns(*segments):
    return [tuple(map(np.array, segment)) for segment in segments]


def test_worked_example():
    packed = pack(
        np.array([7, 8, 9]), columns(([0, 2], [2, 3]), ([2, 1], [3, 0])), 2, 3
    )
    assert packed.token_ids.tolist() == [2, 7, 8, 3, 9, 3, 2, 9, 3]
    assert packed.segment_ids.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert packed.starts.tolist() == [0, 6, 9]
    assert packed.is_special.astype(int).tolist() == [1, 0, 0, 1, 0, 1, 1, 0, 1]
    assert packed.token_ids.dtype == packed.segment_ids.dtype == "int32"
    assert packed.starts.dtype == "int64"


def test_empty_segments_and_no_rows():
    packed = pack(np.zeros(0, "int32"), columns(([0], [0]), ([0], [0])), 2, 3)
    assert packed.token_ids.tolist() == [2, 3, 3]
    assert packed.segment_ids.tolist() == [0, 0, 1]
    nothing = np.zeros(0, "int64")
    packed = pack(np.array([7]), [(nothing, nothing)], 2, 3)
    assert packed.token_ids.tolist() == [] and packed.starts.tolist() == [0]


def test_the_values_stay_as_they_are():
    values = np.array([7, 8], "int32")
    pack(values, columns(([0, 1], [2, 2])), 2, 3)
    assert values.tolist() == [7, 8]


@pytest.mark.parametrize("num_segments", [1, 2])
def test_equals_the_packer_of_the_graph(num_segments):
    generator = np.random.default_rng(num_segments)
    for length in (5, 6, 9, 16):
        values = generator.integers(5, 99, 300).astype("int32")
        lengths = generator.integers(0, 13, (num_segments, 12))
        splits = np.cumsum(np.concatenate([[0], lengths.ravel()]))
        begins = splits[:-1].reshape(lengths.shape)
        ragged = [
            tf.RaggedTensor.from_row_lengths(values[b[0] : b[0] + n.sum()], n)
            for b, n in zip(begins, lengths)
        ]
        expected = MultiSegmentPacker(length, 2, 3, 0)(tuple(ragged))
        kept = truncated_lengths(
            *lengths, *[0] * (2 - num_segments), length - 1 - num_segments
        )
        segments = [(b, b + n) for b, n in zip(begins, kept)]
        packed = pack(values, segments, 2, 3)
        keep = np.arange(length) < np.diff(packed.starts)[:, None]
        found = padded(keep, packed.token_ids, 0)
        np.testing.assert_array_equal(found, expected["token_ids"])
        found = padded(keep, packed.segment_ids, 0)
        np.testing.assert_array_equal(found, expected["segment_ids"])
        np.testing.assert_array_equal(keep, expected["padding_mask"])


def test_truncation_is_the_same_in_both():
    first, second = np.divmod(np.arange(400), 20)
    for budget in (1, 2, 9, 12, 40):
        found = truncated_lengths(first, second, budget)
        expected = truncated_in_graph(tf.constant(first), tf.constant(second), budget)
        np.testing.assert_array_equal(found, expected)
    assert truncated_lengths(5, 9, 9) == (5, 4)
    assert truncated_lengths(2, 9, 9) == (2, 7)


def test_padding():
    keep = np.array([[1, 1], [1, 0]], bool)
    assert padded(keep, np.array([7, 8, 9]), 0).tolist() == [[7, 8], [9, 0]]
