"""One vector of many: the formulas, in numbers that can be checked by hand."""

import keras
import numpy as np
import pytest

from kbert.models.text_vectors import NORMALIZE, Projection, TextVectors
from kbert.signatures import POOLINGS

STATES = np.array([[[3, 0], [0, 6], [6, 3], [9, 9]]], "float32")
MASK = np.array([[1, 1, 1, 0]], "int32")
EXPECTED = {
    "mean": [3, 3],
    "cls": [3, 0],
    "max": [6, 6],
    "mean_sqrt_len_tokens": [9 / 3**0.5, 9 / 3**0.5],
    "weightedmean": [21 / 6, 21 / 6],
    "lasttoken": [6, 3],
}
# The first token left out, as [CLS] of a prompt; places go on counting.
WITHOUT_FIRST = {
    "mean": [3, 4.5],
    "cls": [0, 6],
    "max": [6, 6],
    "mean_sqrt_len_tokens": [6 / 2**0.5, 9 / 2**0.5],
    "weightedmean": [18 / 5, 21 / 5],
    "lasttoken": [6, 3],
}


def computed(vectors, *arguments):
    found = vectors(keras.ops.convert_to_tensor(STATES), MASK, *arguments)
    return keras.ops.convert_to_numpy(found)[0]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings(pooling):
    found = computed(TextVectors((pooling,)))
    np.testing.assert_allclose(found, EXPECTED[pooling], rtol=1e-6)
    inner = TextVectors((pooling,), pools_prompt=False)
    np.testing.assert_allclose(computed(inner, 1), WITHOUT_FIRST[pooling], rtol=1e-6)
    # a prompt that counts
    np.testing.assert_allclose(
        computed(TextVectors((pooling,)), 1), EXPECTED[pooling], rtol=1e-6
    )


def test_several_poolings_and_what_follows():
    kernel = np.array([[1, 0], [0, 1], [1, 1], [0, -1]], "float32")
    vectors = TextVectors(
        ("cls", "mean"), (Projection(kernel, np.array([0, 1], "f4"), "relu"), NORMALIZE)
    )
    assert vectors.dim(2) == 2
    # [3, 0, 3, 3] -> [6, 0 + 3 - 3 + 1] -> over sqrt(37)
    np.testing.assert_allclose(computed(vectors), np.array([6, 1]) / 37**0.5, rtol=1e-6)
    assert str(vectors) == "cls and mean, projected to 2, scaled to the length 1"


def test_what_a_caller_says_rules():
    own = TextVectors(("cls",), (NORMALIZE,), prompt="query: ")
    assert str(own.with_options()) == str(own)
    changed = own.with_options("max", False)
    assert (changed.poolings, changed.steps) == (("max",), ())
    assert changed.prompt == "query: "
    assert TextVectors().with_options(normalize=True).is_normalized
    with pytest.raises(ValueError, match="mean_sqrt_len.* or lasttoken; got 'median'"):
        own.with_options("median")


def test_a_projection_of_another_size():
    vectors = TextVectors(("cls", "mean"), (Projection(np.ones((2, 3), "f4")),))
    with pytest.raises(ValueError, match=r"of 2 numbers .*\(cls and mean\) gives 4"):
        vectors.dim(2)
