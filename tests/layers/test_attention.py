"""SelfAttention against softmax(q k / sqrt(d)) v in NumPy."""

import keras
import numpy as np
import pytest

from kbert.layers.attention import SelfAttention, additive_mask

B, L, D, H = 2, 5, 12, 3
PADDING_MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def filled(**arguments):
    layer = SelfAttention(D, H, **arguments)
    layer(normal(B, L, D), additive_mask(PADDING_MASK))
    for i, weight in enumerate(layer.weights):
        weight.assign(normal(*weight.shape, seed=i + 1) * 0.5)
    return layer


def outputs(layer, x, queries=None, **arguments):
    y = layer(x, additive_mask(PADDING_MASK), queries, **arguments)
    return keras.ops.convert_to_numpy(y)


def formula(layer, x):
    """A loop over sequences and heads, in float64."""
    kernel, bias, out_kernel, out_bias = (
        keras.ops.convert_to_numpy(w).astype("float64") for w in layer.weights
    )
    query, key, value = np.split(x @ kernel + bias, 3, axis=-1)  # (B, L, D) each
    d = D // H
    y = np.zeros((B, L, D))
    for b in range(B):
        keep = PADDING_MASK[b] == 1
        for h in range(H):
            part = slice(h * d, (h + 1) * d)
            scores = query[b, :, part] @ key[b, keep, part].T / np.sqrt(d)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            y[b, :, part] = weights @ value[b, keep, part]
    return y @ out_kernel + out_bias


def test_additive_mask():
    mask = keras.ops.convert_to_numpy(additive_mask(np.array([[1, 1, 0]], "int32")))
    assert mask.dtype == "float32"
    assert mask.tolist() == [[[[0.0, 0.0, -1e9]]]]


def test_equals_the_formula():
    layer, x = filled(), normal(B, L, D)
    np.testing.assert_allclose(outputs(layer, x), formula(layer, x), atol=1e-5)


def test_the_path_with_dropout_is_the_same_formula():
    # A rate so small that nothing is dropped takes the path that training takes.
    layer, x = filled(attention_dropout=1e-9), normal(B, L, D)
    y = outputs(layer, x, training=True)
    np.testing.assert_allclose(y, formula(layer, x), atol=1e-5)


def test_padding_cannot_influence():
    layer, x = filled(), normal(B, L, D)
    other = x.copy()
    other[1, 3:] = 1000 * normal(2, D, seed=9)
    before, after = outputs(layer, x), outputs(layer, other)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1, :3], after[1, :3])


def test_a_subset_of_queries_gives_the_rows_of_the_whole():
    layer, x = filled(), normal(B, L, D)
    y = outputs(layer, x, queries=x[:, [4, 0, 0]])
    assert y.shape == (B, 3, D)
    np.testing.assert_allclose(y, outputs(layer, x)[:, [4, 0, 0]], atol=1e-6)


def test_probabilities_are_dropped_in_training_only():
    keras.utils.set_random_seed(0)
    layer, x = filled(attention_dropout=0.5), normal(B, L, D)
    assert np.array_equal(outputs(layer, x), outputs(layer, x, training=False))
    first = outputs(layer, x, training=True)
    assert np.abs(first - outputs(layer, x, training=True)).max() > 0.1
    assert np.abs(first - outputs(layer, x)).max() > 0.1


def test_heads_must_divide_the_hidden_dim():
    with pytest.raises(ValueError, match="hidden_dim=10, num_heads=3"):
        SelfAttention(10, 3)
