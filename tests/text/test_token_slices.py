"""Tokens of many texts end to end."""

import numpy as np

from kbert.text.token_slices import joined_slices


def test_chunks_are_joined():
    first = np.array([5, 6]), np.array([0, 2]), np.array([2, 5])
    second = np.array([7]), np.array([1]), np.array([3])
    slices = joined_slices([first, second], [[2, 0], [1]])
    assert slices.ids.tolist() == [5, 6, 7]
    assert slices.splits.tolist() == [0, 2, 2, 3]
    assert len(slices) == 3
    assert [array.dtype.name for array in slices.text(0)] == ["int32"] * 3
    assert [array.tolist() for array in slices.text(0)] == [[5, 6], [0, 2], [2, 5]]
    assert [array.tolist() for array in slices.text(1)] == [[], [], []]
    assert [array.tolist() for array in slices.text(2)] == [[7], [1], [3]]


def test_no_chunk_at_all():
    slices = joined_slices([], [])
    assert len(slices) == len(slices.ids) == 0
    assert slices.ids.dtype == "int32" and slices.splits.dtype == "int64"
