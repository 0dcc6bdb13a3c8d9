"""BertQuestionAnswerer: the whole computation, precision and saving."""

import warnings

import keras
import numpy as np

from kbert.models.backbone import BertBackbone
from kbert.models.question_answerer import BertQuestionAnswerer

INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 9, 3, 0, 0], [2, 30, 3, 31, 4, 3, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0]], "i4"),
    "padding_mask": np.array([[1] * 6 + [0] * 2] * 2, "i4"),
}


def made(dtype=None):
    backbone = BertBackbone(50, 2, 2, 16, 32, max_sequence_length=12, dtype=dtype)
    model = BertQuestionAnswerer(backbone)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.4)
    return model


def logits_of(model):
    outputs = model(INPUTS)
    assert set(outputs) == {"start_logits", "end_logits"}
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def test_equals_the_formula():
    model = made()
    vectors = keras.ops.convert_to_numpy(model.backbone(INPUTS)["sequence_output"])
    kernel, bias = model.answer_span.get_weights()
    assert kernel.shape == (16, 2)
    ends = vectors @ kernel + bias  # (B, L, 2)
    for i, (name, logits) in enumerate(logits_of(model).items()):
        assert name == ("start_logits", "end_logits")[i]
        assert logits.shape == (2, 8)
        assert logits.dtype == "float32"
        np.testing.assert_allclose(logits, ends[:, :, i], atol=1e-5)


def test_keras_file_round_trip_is_exact(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is BertQuestionAnswerer
    assert loaded.get_config() == model.get_config()
    one, other = logits_of(model), logits_of(loaded)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    for a, b in zip(model.backbone.weights, loaded.backbone.weights, strict=True):
        assert np.array_equal(*map(keras.ops.convert_to_numpy, (a, b))), a.path


def test_logits_are_float32_under_bfloat16():
    half, whole = logits_of(made(dtype="mixed_bfloat16")), logits_of(made())
    for name in whole:
        assert half[name].dtype == "float32"
        assert 0 < np.abs(half[name] - whole[name]).max() < 0.1


def test_fit_learns_and_asks_nothing_of_the_pooler():
    keras.utils.set_random_seed(0)
    model = made()
    assert len(model.weights) == len(model.backbone.weights) - 2 + 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(5e-3), {"start_logits": loss, "end_logits": loss}
    )
    y = {"start_logits": np.array([4, 3]), "end_logits": np.array([4, 4])}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Gradients do not exist")
        losses = [
            model.train_on_batch(INPUTS, y, return_dict=True)["loss"] for _ in range(41)
        ]
    assert losses[-1] < 0.5 * losses[0]
