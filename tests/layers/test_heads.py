"""The heads of pre-training: gather first, project after, on the tied table."""

import keras
import numpy as np

from kbert.layers.encoder import activation_function
from kbert.layers.heads import MaskedLMHead, NextSentenceHead

POSITIONS = np.array([[4, 0, 0], [1, 1, 2]], "int32")


def array(x):
    return keras.ops.convert_to_numpy(x)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def filled():
    embedding = keras.layers.Embedding(11, 8)
    head = MaskedLMHead(embedding)
    head(normal(2, 5, 8))
    for i, weight in enumerate((*head.weights, *embedding.weights)):
        weight.assign(normal(*weight.shape, seed=i + 1) * 0.5)
    return head, embedding


def test_equals_the_formula():
    head, embedding = filled()
    x = normal(2, 3, 8)
    y = x @ array(head.transform.kernel) + array(head.transform.bias)
    y = array(activation_function("gelu")(y))
    y = y - y.mean(-1, keepdims=True)
    y = y / np.sqrt((y**2).mean(-1, keepdims=True) + 1e-12)
    y = y * array(head.norm.gamma) + array(head.norm.beta)
    expected = y @ array(embedding.embeddings).T + array(head.output_bias)
    assert expected.shape == (2, 3, 11)
    np.testing.assert_allclose(array(head(x)), expected, atol=1e-5)


def test_gather_then_project_is_project_then_gather():
    head, _ = filled()
    x = normal(2, 5, 8)
    full = array(head(x))
    y = array(head(x, POSITIONS))
    expected = np.stack([full[0, [4, 0, 0]], full[1, [1, 1, 2]]])
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_the_table_is_the_embeddings_own():
    head, embedding = filled()
    x = normal(2, 3, 8)
    before = array(head(x))
    embedding.embeddings.assign(2 * array(embedding.embeddings))
    bias = array(head.output_bias)
    np.testing.assert_allclose(array(head(x)) - bias, 2 * (before - bias), atol=1e-5)
    tables = [w for w in head.weights if tuple(w.shape) in ((11, 8), (8, 11))]
    assert [w is embedding.embeddings for w in tables] == [True]


def test_next_sentence_is_one_dense_layer():
    head, x = NextSentenceHead(initializer_range=0.5), normal(3, 8)
    y = array(head(x))
    assert y.shape == (3, 2)
    expected = x @ array(head.dense.kernel) + array(head.dense.bias)
    np.testing.assert_allclose(y, expected, atol=1e-6)
