"""BertTextClassifier: the whole computation, precision, saving, and its errors."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.text_classifier import BertTextClassifier

INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 9, 3, 0, 0], [2, 30, 31, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
}


def made(dtype=None, num_layers=2, **arguments):
    backbone = BertBackbone(
        50, num_layers, 2, 16, 32, max_sequence_length=12, dtype=dtype
    )
    model = BertTextClassifier(backbone, 3, **arguments)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.4)
    return model


def logits_of(model, **arguments):
    return keras.ops.convert_to_numpy(model(INPUTS, **arguments))


@pytest.mark.parametrize("num_layers", [1, 2])
def test_equals_the_whole_computation(num_layers):
    model = made(num_layers=num_layers)
    pooled = keras.ops.convert_to_numpy(model.backbone(INPUTS)["pooled_output"])
    kernel, bias = model.classifier.get_weights()
    logits = logits_of(model)
    assert logits.shape == (2, 3)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, pooled @ kernel + bias, atol=1e-5)


def test_keras_file_round_trip_is_exact(tmp_path):
    model = made(dropout=0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is BertTextClassifier
    assert loaded.get_config() == model.get_config()
    assert np.array_equal(logits_of(model), logits_of(loaded))


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


def test_fit_learns():
    keras.utils.set_random_seed(0)
    model = made(dropout=0.0)
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    y = np.array([0, 2])
    first = model.train_on_batch(INPUTS, y)
    for _ in range(40):
        last = model.train_on_batch(INPUTS, y)
    assert last < 0.5 * first


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 1; got 0"):
        BertTextClassifier(made().backbone, 0)
