"""BertBackbone: its size, its first weights, dropout, precision, and saving."""

import keras
import numpy as np
import pytest

from kbert.config import bert_base, bert_large
from kbert.models.backbone import BertBackbone

SIZES = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 12,
}
INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 9, 3, 0, 0], [2, 30, 31, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
}


def arrays(outputs):
    return {name: keras.ops.convert_to_numpy(x) for name, x in outputs.items()}


def normal(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(
    "config, expected", [(bert_base, 109_482_240), (bert_large, 335_141_888)]
)
def test_number_of_parameters(config, expected, monkeypatch):
    # Zeros need no time, and no memory before they are touched.
    zeros = keras.initializers.Zeros()
    monkeypatch.setattr(keras.initializers, "TruncatedNormal", lambda stddev: zeros)
    model = BertBackbone(**config().arguments(), dtype="bfloat16")
    assert model.count_params() == expected


def test_names_shapes_and_dtypes():
    model = BertBackbone(**SIZES)
    assert {k: (v.shape, v.dtype) for k, v in model.input.items()} == {
        "token_ids": ((None, None), "int32"),
        "segment_ids": ((None, None), "int32"),
        "padding_mask": ((None, None), "int32"),
    }
    outputs = arrays(model(INPUTS))
    assert {k: (v.shape, v.dtype) for k, v in outputs.items()} == {
        "sequence_output": ((2, 8, 16), np.dtype("float32")),
        "pooled_output": ((2, 16), np.dtype("float32")),
    }


def test_pooled_output_is_tanh_of_a_dense_layer_on_cls():
    model = BertBackbone(**SIZES, initializer_range=0.3)
    outputs = arrays(model(INPUTS))
    kernel, bias = model.pooler.get_weights()
    expected = np.tanh(outputs["sequence_output"][:, 0] @ kernel + bias)
    np.testing.assert_allclose(outputs["pooled_output"], expected, atol=1e-6)


def test_tokens_under_the_padding_cannot_influence():
    model = BertBackbone(**SIZES, initializer_range=0.3)
    other = INPUTS | {
        "token_ids": np.where(INPUTS["padding_mask"] == 1, INPUTS["token_ids"], 17)
    }
    before, after = arrays(model(INPUTS)), arrays(model(other))
    keep = INPUTS["padding_mask"] == 1
    assert np.array_equal(before["pooled_output"], after["pooled_output"])
    assert np.array_equal(
        before["sequence_output"][keep], after["sequence_output"][keep]
    )


def test_more_padding_changes_nothing():
    model = BertBackbone(**SIZES, initializer_range=0.3)
    longer = {name: np.pad(x, ((0, 0), (0, 4))) for name, x in INPUTS.items()}
    short, long = arrays(model(INPUTS)), arrays(model(longer))
    keep = INPUTS["padding_mask"] == 1
    np.testing.assert_allclose(
        short["sequence_output"][keep], long["sequence_output"][:, :8][keep], atol=2e-6
    )


def test_first_weights():
    keras.utils.set_random_seed(0)
    model = BertBackbone(**SIZES | {"vocabulary_size": 2000, "hidden_dim": 64})
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if weight.name in ("bias", "beta"):
            assert (value == 0).all(), weight.path
        elif weight.name == "gamma":
            assert (value == 1).all(), weight.path
        elif value.ndim > 1:
            # Cut at 2 standard deviations, a normal's deviation is 0.88 of the whole.
            assert np.abs(value).max() <= 0.04 + 1e-7, weight.path
            if value.size > 1000:
                assert 0.0165 < value.std() < 0.0187, weight.path
                assert np.abs(value).max() > 0.035, weight.path


def test_dropout_in_training_only():
    keras.utils.set_random_seed(0)
    model = BertBackbone(**SIZES, dropout=0.5)
    first, second = arrays(model(INPUTS)), arrays(model(INPUTS, training=False))
    assert np.array_equal(first["sequence_output"], second["sequence_output"])
    trained, again = (arrays(model(INPUTS, training=True)) for _ in range(2))
    assert np.abs(trained["sequence_output"] - first["sequence_output"]).max() > 0.1
    assert np.abs(trained["sequence_output"] - again["sequence_output"]).max() > 0.1


def test_no_dropout_is_the_same_in_training():
    model = BertBackbone(**SIZES, dropout=0.0, attention_dropout=0.0)
    x, y = arrays(model(INPUTS)), arrays(model(INPUTS, training=True))
    assert np.array_equal(x["sequence_output"], y["sequence_output"])


def test_dropout_rates_reach_their_layers():
    model = BertBackbone(**SIZES, dropout=0.3, attention_dropout=0.4)
    rates = [model.embeddings.dropout_layer.rate]
    for block in model.blocks:
        rates += [
            block.attention.dropout_layer.rate,
            block.attention_dropout_layer.rate,
            block.output_dropout_layer.rate,
        ]
    assert rates == [0.3, 0.4, 0.3, 0.3, 0.4, 0.3, 0.3]


def test_softmax_runs_in_float32_under_bfloat16(monkeypatch):
    seen = []
    softmax = keras.ops.softmax

    def spy(x, axis=-1):
        seen.append(keras.backend.standardize_dtype(x.dtype))
        return softmax(x, axis)

    model = BertBackbone(**SIZES, dtype="mixed_bfloat16")
    monkeypatch.setattr(keras.ops, "softmax", spy)
    model(INPUTS, training=True)  # where a backend has no fused attention
    assert seen == ["float32", "float32"]


def test_norm_statistics_run_in_float32_under_bfloat16():
    # Around 1024 bfloat16 has steps of 8: the mean of the squares, in bfloat16, would
    # lose the variance altogether.
    model = BertBackbone(**SIZES, dtype="mixed_bfloat16")
    block = model.blocks[0]
    x = (1024 + 8 * np.arange(16)).astype("float32")[None]
    expected = (x - x.mean()) / x.std()
    for norm in (model.embeddings.norm, block.attention_norm, block.output_norm):
        assert norm.gamma.dtype == "float32"
        y = norm(keras.ops.cast(x, "bfloat16"))
        assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
        y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
        np.testing.assert_allclose(y, expected, atol=0.01)


def test_bfloat16_is_near_float32():
    model = BertBackbone(**SIZES, initializer_range=0.1)
    half = BertBackbone(**SIZES, dtype="mixed_bfloat16")
    half.set_weights(model.get_weights())
    assert {w.dtype for w in half.weights} == {"float32"}
    x, y = model(INPUTS)["sequence_output"], half(INPUTS)["sequence_output"]
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    y = keras.ops.cast(y, "float32")
    error = keras.ops.convert_to_numpy(x) - keras.ops.convert_to_numpy(y)
    assert np.abs(error).max() < 0.1
    assert np.abs(error).mean() < 0.01


def test_the_policy_is_the_global_one_by_default():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert BertBackbone(**SIZES).policy.name == "mixed_bfloat16"
        assert BertBackbone(**SIZES, dtype="float32").policy.name == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_keras_file_round_trip_is_exact(tmp_path):
    model = BertBackbone(**SIZES, initializer_range=0.3)
    for i, weight in enumerate(model.weights):
        weight.assign(normal(weight.shape, i) * 0.3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is BertBackbone
    assert loaded.get_config() == model.get_config()
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)
    x, y = arrays(model(INPUTS)), arrays(loaded(INPUTS))
    assert np.array_equal(x["sequence_output"], y["sequence_output"])
    assert np.array_equal(x["pooled_output"], y["pooled_output"])


def test_a_sequence_longer_than_the_positions_is_refused():
    model = BertBackbone(**SIZES)
    ids = np.ones((1, 13), "int32")
    with pytest.raises(ValueError, match="max_sequence_length=12.*got 13"):
        model({"token_ids": ids, "segment_ids": ids, "padding_mask": ids})
