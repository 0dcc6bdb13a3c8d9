"""Batches as `fit` takes them: lengths that stay open, and steps that are asked for."""

import numpy as np

from kbert.training.batches import Batches, BatchRange


def ragged(step):
    """Batch `step` is `step + 1` long."""
    x = {"token_ids": np.full((2, step + 1), step, "int32")}
    return x, np.array([step, step], "int32"), np.ones(2, "float32")


def test_lengths_stay_open():
    dataset = Batches(ragged, 3).dataset(2, 5)
    assert dataset.cardinality() == 3
    assert dataset.element_spec[0]["token_ids"].shape.as_list() == [None, None]
    shapes = [x["token_ids"].shape for x, _, _ in dataset.as_numpy_iterator()]
    assert shapes == [(2, 3), (2, 4), (2, 5)]


def test_one_length_is_known_to_the_graph():
    one = Batches(lambda step: ragged(4), 3, has_one_length=True).dataset(0, 2)
    assert one.element_spec[0]["token_ids"].shape.as_list() == [None, 5]
    assert one.element_spec[1].shape.as_list() == [None]


def test_batch_range():
    batches = BatchRange(Batches(ragged, 3), 2, 5)
    assert len(batches) == 3
    assert [batches[i][1][0] for i in range(3)] == [2, 3, 4]
