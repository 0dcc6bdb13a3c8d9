"""BertTokenClassifier: the whole computation, precision, saving, and its errors."""

import warnings

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.token_classifier import BertTokenClassifier

INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 9, 3, 0, 0], [2, 30, 31, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
}


def made(dtype=None, **arguments):
    backbone = BertBackbone(50, 2, 2, 16, 32, max_sequence_length=12, dtype=dtype)
    model = BertTokenClassifier(backbone, 3, **arguments)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.4)
    return model


def logits_of(model, **arguments):
    return keras.ops.convert_to_numpy(model(INPUTS, **arguments))


def test_equals_the_formula():
    model = made()
    vectors = keras.ops.convert_to_numpy(model.backbone(INPUTS)["sequence_output"])
    kernel, bias = model.classifier.get_weights()
    logits = logits_of(model)
    assert logits.shape == (2, 8, 3)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, vectors @ kernel + bias, atol=1e-5)


def test_keras_file_round_trip_is_exact(tmp_path):
    model = made(dropout=0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is BertTokenClassifier
    assert loaded.get_config() == model.get_config()
    assert np.array_equal(logits_of(model), logits_of(loaded))
    # The pooler, which no output reads, is kept with the backbone all the same.
    for a, b in zip(model.backbone.weights, loaded.backbone.weights, strict=True):
        assert np.array_equal(*map(keras.ops.convert_to_numpy, (a, b))), a.path


def test_logits_are_float32_under_bfloat16():
    logits = logits_of(made(dtype="mixed_bfloat16"))
    assert logits.dtype == "float32"
    assert 0 < np.abs(logits - logits_of(made())).max() < 0.1


def test_dropout_is_the_backbones_by_default():
    assert made().dropout == 0.1
    assert made(dropout=0.0).dropout == 0.0


def test_dropout_in_training_only():
    keras.utils.set_random_seed(0)
    model = made(dropout=0.5)
    assert np.array_equal(logits_of(model), logits_of(model))
    trained = [logits_of(model, training=True) for _ in range(2)]
    assert np.abs(trained[0] - trained[1]).max() > 0.01


def test_fit_learns_and_asks_nothing_of_the_pooler():
    keras.utils.set_random_seed(0)
    backbone = BertBackbone(50, 2, 2, 16, 32, dropout=0.0, initializer_range=0.2)
    model = BertTokenClassifier(backbone, 3)
    assert len(model.weights) == len(model.backbone.weights) - 2 + 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss)
    y = np.array([[0, 1, 2, 0, 1, 0, 0, 0], [2, 1, 0, 2, 0, 0, 0, 0]])
    first = float(loss(y, logits_of(model)))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Gradients do not exist")
        for _ in range(40):
            model.train_on_batch(INPUTS, y)
    assert float(loss(y, logits_of(model))) < 0.5 * first


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 1; got 0"):
        BertTokenClassifier(made().backbone, 0)
