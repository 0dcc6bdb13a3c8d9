"""BertPretrainer: the whole computation, the tied table, precision, and saving."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer

INPUTS = {
    "token_ids": np.array([[2, 7, 4, 3, 9, 3, 0, 0], [2, 4, 31, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
    "mask_positions": np.array([[2, 4, 0], [1, 0, 0]], "i4"),
}


def made(dtype=None, **arguments):
    """Two layers, D=16, V=50, weights large enough for the numbers to differ."""
    backbone = BertBackbone(
        50, 2, 2, 16, 32, max_sequence_length=12, dtype=dtype, **arguments
    )
    model = BertPretrainer(backbone)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.4)
    return model


def arrays(outputs):
    return {name: keras.ops.convert_to_numpy(x) for name, x in outputs.items()}


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_equals_the_whole_computation(activation):
    model = made(activation=activation)
    inputs = {k: v for k, v in INPUTS.items() if k != "mask_positions"}
    whole = model.backbone(inputs)
    every_row = arrays({"y": model.masked_lm_head(whole["sequence_output"])})["y"]
    expected = np.stack([every_row[0, [2, 4, 0]], every_row[1, [1, 0, 0]]])
    outputs = arrays(model(INPUTS))
    assert outputs["masked_lm"].shape == (2, 3, 50)
    assert expected.std() > 0.5
    np.testing.assert_allclose(outputs["masked_lm"], expected, atol=1e-5)
    next_sentence = model.next_sentence_head(whole["pooled_output"])
    np.testing.assert_allclose(
        outputs["next_sentence"],
        keras.ops.convert_to_numpy(next_sentence),
        atol=1e-5,
    )


def test_the_head_takes_the_backbones_settings():
    head = made(
        activation="gelu_tanh", layer_norm_epsilon=1e-7, initializer_range=0.3
    ).masked_lm_head
    assert head.activation == "gelu_tanh"
    assert head.layer_norm_epsilon == head.norm.epsilon == 1e-7
    assert head.initializer_range == 0.3


def test_the_table_is_tied_and_not_copied():
    model = made()
    table = model.backbone.embeddings.token_embedding
    assert model.masked_lm_head.token_embedding is table
    before = arrays(model(INPUTS))["masked_lm"]
    value = keras.ops.convert_to_numpy(table.embeddings).copy()
    value[40] += 1.0  # a token that no input holds
    table.embeddings.assign(value)
    after = arrays(model(INPUTS))["masked_lm"]
    changed = np.abs(after - before).max(axis=(0, 1)) > 1e-3
    assert np.flatnonzero(changed).tolist() == [40]
    # 16 x 16 + 16, norm 2 x 16, output bias 50, next sentence 16 x 2 + 2
    own = 16 * 16 + 16 + 32 + 50 + 34
    assert model.count_params() == model.backbone.count_params() + own


def test_keras_file_round_trip_is_exact_and_stays_tied(tmp_path):
    model = made(activation="gelu_tanh")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is BertPretrainer
    assert loaded.get_config() == model.get_config()
    x, y = arrays(model(INPUTS)), arrays(loaded(INPUTS))
    assert np.array_equal(x["masked_lm"], y["masked_lm"])
    assert np.array_equal(x["next_sentence"], y["next_sentence"])
    table = loaded.backbone.embeddings.token_embedding
    assert loaded.masked_lm_head.token_embedding is table
    table.embeddings.assign(0 * table.embeddings)
    z = arrays(loaded(INPUTS))["masked_lm"]
    bias = keras.ops.convert_to_numpy(loaded.masked_lm_head.output_bias)
    np.testing.assert_allclose(z, np.broadcast_to(bias, z.shape), atol=1e-6)


def test_weights_file_round_trip_is_exact(tmp_path):
    model, other = made(), made()
    for weight in other.weights:
        weight.assign(0 * weight)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    x, y = arrays(model(INPUTS)), arrays(other(INPUTS))
    assert np.array_equal(x["masked_lm"], y["masked_lm"])


def test_logits_and_loss_are_float32_under_bfloat16():
    model, whole = made(dtype="mixed_bfloat16"), made()
    outputs = model(INPUTS)
    labels = {"masked_lm": [[1, 2, 3], [4, 5, 6]], "next_sentence": [0, 1]}
    for name, logits in outputs.items():
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        value = loss(np.array(labels[name]), logits)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        z = keras.ops.convert_to_numpy(logits).astype("float64")
        z -= z.max(axis=-1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        own = np.take_along_axis(log_p, np.array(labels[name])[..., None], -1)
        assert abs(float(value) + own.mean()) < 1e-5
    error = arrays(outputs)["masked_lm"] - arrays(whole(INPUTS))["masked_lm"]
    assert 0 < np.abs(error).max() < 0.3


def test_norm_of_the_head_runs_in_float32_under_bfloat16():
    head = made(dtype="mixed_bfloat16").masked_lm_head
    x = (1024 + 8 * np.arange(16)).astype("float32")[None]
    head.norm.gamma.assign(np.ones(16))
    head.norm.beta.assign(np.zeros(16))
    y = keras.ops.cast(head.norm(keras.ops.cast(x, "bfloat16")), "float32")
    expected = (x - x.mean()) / x.std()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(y), expected, atol=0.01)


def test_dropout_in_training_only():
    model = made()
    first, second = arrays(model(INPUTS)), arrays(model(INPUTS))
    assert np.array_equal(first["masked_lm"], second["masked_lm"])
    trained = arrays(model(INPUTS, training=True))
    assert np.abs(trained["masked_lm"] - first["masked_lm"]).max() > 0.01
