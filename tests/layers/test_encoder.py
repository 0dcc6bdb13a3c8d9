"""EncoderBlock: the formula, rows alone against all rows, activations, gather."""

import keras
import numpy as np
import pytest

from kbert.config import ACTIVATIONS
from kbert.layers.attention import additive_mask
from kbert.layers.encoder import EncoderBlock, activation_function, gather_rows

PADDING_MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")
POSITIONS = np.array([[4, 0, 0], [1, 1, 2]], "int32")


def array(x):
    return keras.ops.convert_to_numpy(x)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def filled(**arguments):
    block = EncoderBlock(8, 2, 16, **arguments)
    block(normal(2, 5, 8), additive_mask(PADDING_MASK))
    for i, weight in enumerate(block.weights):
        weight.assign(normal(*weight.shape, seed=i + 1) * 0.5)
    return block


def norm(x, layer):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    return x * array(layer.gamma) + array(layer.beta)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_is_norm_of_sum_twice(activation):
    block, x = filled(activation=activation), normal(2, 5, 8)
    attended = array(block.attention(x, additive_mask(PADDING_MASK)))
    h = norm(x + attended, block.attention_norm)
    wide = h @ array(block.intermediate.kernel) + array(block.intermediate.bias)
    wide = array(activation_function(activation)(wide.astype("float32")))
    out = wide @ array(block.output_dense.kernel) + array(block.output_dense.bias)
    expected = norm(h + out, block.output_norm)
    y = array(block(x, additive_mask(PADDING_MASK)))
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_rows_alone_are_the_rows_of_all():
    block, x, mask = filled(), normal(2, 5, 8), additive_mask(PADDING_MASK)
    full = array(block(x, mask))
    y = array(block(x, mask, POSITIONS))
    assert y.shape == (2, 3, 8)
    expected = np.stack([full[0, [4, 0, 0]], full[1, [1, 1, 2]]])
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_gather_rows():
    x = np.array([[[1], [2], [3]], [[4], [5], [6]]], "float32")
    y = gather_rows(x, np.array([[2, 0], [1, 1]], "int32"))
    assert array(y).tolist() == [[[3], [1]], [[5], [5]]]


def test_activations():
    x = np.array([-1.0, 0.0, 2.0], "float32")
    expected = {
        "gelu": [-0.158655, 0.0, 1.954500],
        "gelu_tanh": [-0.158808, 0.0, 1.954598],
        "relu": [0.0, 0.0, 2.0],
        "silu": [-0.268941, 0.0, 1.761594],
        "tanh": [-0.761594, 0.0, 0.964028],
    }
    assert tuple(expected) == ACTIVATIONS
    for name, values in expected.items():
        np.testing.assert_allclose(
            array(activation_function(name)(x)), values, atol=2e-6
        )


def test_the_two_gelus_differ_by_up_to_4_7e_4():
    x = np.linspace(-5, 5, 10001).astype("float32")
    erf, tanh = (array(activation_function(n)(x)) for n in ("gelu", "gelu_tanh"))
    assert 4.6e-4 < np.abs(erf - tanh).max() < 4.8e-4


def test_unknown_activation():
    with pytest.raises(ValueError, match="one of gelu, gelu_tanh, .*got 'swoosh'"):
        activation_function("swoosh")
