"""BertEmbeddings against the formula in NumPy."""

import keras
import numpy as np
import pytest

from kbert.layers.embeddings import BertEmbeddings

TOKEN_IDS = np.array([[2, 7, 3, 0], [2, 9, 9, 3]], "int32")
SEGMENT_IDS = np.array([[0, 0, 0, 0], [0, 1, 2, 2]], "int32")


def filled(scale, **arguments):
    """A layer with D=8, V=11 and normal weights of this scale."""
    layer = BertEmbeddings(11, 8, 6, num_segments=3, dropout=0.0, **arguments)
    layer(TOKEN_IDS, SEGMENT_IDS)
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * scale)
    layer.norm.gamma.assign(rng.normal(size=8))
    layer.norm.beta.assign(rng.normal(size=8))
    return layer


def formula(layer, epsilon):
    token, position, segment, gamma, beta = (
        keras.ops.convert_to_numpy(v).astype("float64")
        for v in (
            layer.token_embedding.embeddings,
            layer.position_embedding.embeddings,
            layer.segment_embedding.embeddings,
            layer.norm.gamma,
            layer.norm.beta,
        )
    )
    x = token[TOKEN_IDS] + position[:4] + segment[SEGMENT_IDS]
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * gamma + beta


# At 1e-6 the variance is near 1e-12: an epsilon of 1e-12 is felt, and a larger one
# would crush the output.
@pytest.mark.parametrize("scale", [1.0, 0.02, 1e-6])
def test_sum_then_norm(scale):
    layer = filled(scale)
    y = keras.ops.convert_to_numpy(layer(TOKEN_IDS, SEGMENT_IDS))
    assert y.shape == (2, 4, 8)
    np.testing.assert_allclose(y, formula(layer, 1e-12), atol=2e-5)


def test_epsilon_is_handed_down():
    layer = filled(1e-3, layer_norm_epsilon=1e-5)
    y = keras.ops.convert_to_numpy(layer(TOKEN_IDS, SEGMENT_IDS))
    np.testing.assert_allclose(y, formula(layer, 1e-5), atol=2e-5)


def test_dropout_comes_after_the_norm():
    keras.utils.set_random_seed(0)
    layer = BertEmbeddings(11, 64, 6, dropout=0.5)
    ids = np.zeros((8, 6), "int32")
    kept = keras.ops.convert_to_numpy(layer(ids, ids))
    y = keras.ops.convert_to_numpy(layer(ids, ids, training=True))
    assert 0.4 < (y == 0).mean() < 0.6
    np.testing.assert_allclose(y[y != 0], 2 * kept[y != 0], rtol=1e-5)


def test_a_sequence_longer_than_the_positions_is_refused():
    layer = BertEmbeddings(11, 8, max_sequence_length=3)
    with pytest.raises(ValueError, match="at most max_sequence_length=3.*got 4"):
        layer(TOKEN_IDS, SEGMENT_IDS)
