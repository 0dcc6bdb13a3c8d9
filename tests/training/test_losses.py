"""The cross-entropy over a vocabulary, against the formula and Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

from kbert.metrics.pretraining import LabelAccuracy
from kbert.training.losses import TokenCrossEntropy, token_cross_entropy


def example(scale=3.0):
    rng = np.random.default_rng(7)
    logits = (scale * rng.normal(size=(2, 3, 11))).astype("float32")
    return rng.integers(0, 11, (2, 3)).astype("int32"), logits


def test_formula():
    labels, logits = example()
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, labels[..., None], -1))[..., 0]
    found = ops.convert_to_numpy(token_cross_entropy(labels, ops.array(logits)))
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    two = token_cross_entropy(np.array([0]), ops.zeros((1, 2)))
    np.testing.assert_allclose(ops.convert_to_numpy(two), [0.6931472], atol=1e-6)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="GradientTape")
def test_gradient_equals_that_of_keras():
    import tensorflow as tf

    labels, logits = example()
    weights = np.array([[1.0, 0.0, 2.0], [0.5, 1.0, 1.0]], "float32")
    gradients = []
    for loss in (
        TokenCrossEntropy(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ):
        x = tf.Variable(logits)
        with tf.GradientTape() as tape:
            value = loss(labels, x, sample_weight=weights)
        gradients.append((float(value), tape.gradient(value, x).numpy()))
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-6)
    np.testing.assert_allclose(gradients[0][1], gradients[1][1], atol=1e-7)
    assert not gradients[0][1][0, 1].any()  # weight 0


def test_far_off_and_bfloat16():
    far = ops.array([[0.0, 500.0]])
    loss = float(ops.convert_to_numpy(token_cross_entropy(np.array([0]), far))[0])
    assert loss == pytest.approx(85.2, abs=0.1)
    labels, logits = example()
    low = token_cross_entropy(labels, ops.cast(logits, "bfloat16"))
    assert low.dtype == ops.array(0.0).dtype  # float32: computed and reported in it


def test_accuracy_is_the_share_of_best_logits():
    labels, logits = example()
    weights = np.array([[1, 0, 2], [1, 1, 1]], "float32")
    metric = LabelAccuracy()
    metric.update_state(labels, ops.array(logits), sample_weight=weights)
    expected = ((logits.argmax(-1) == labels) * weights).sum() / weights.sum()
    assert float(metric.result()) == pytest.approx(expected)
    again = LabelAccuracy.from_config(metric.get_config())
    again.update_state(np.array([2, 0]), ops.array([[1.0, 2, 9], [1.0, 2, 9]]))
    assert float(again.result()) == 0.5


def test_config_round_trip():
    loss = TokenCrossEntropy(name="mlm", reduction="sum")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == {"name": "mlm", "reduction": "sum"}
