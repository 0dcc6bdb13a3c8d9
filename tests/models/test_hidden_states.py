"""Vectors of every layer and attention maps: by formula, and the model as it was."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.hidden_states import hidden_states_model

INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 9, 3, 0, 0], [2, 10, 4, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
}


def made(dtype=None):
    model = BertBackbone(11, 3, 2, 8, 12, max_sequence_length=9, dtype=dtype)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.5)
    return model


def arrays(outputs):
    return {k: [keras.ops.convert_to_numpy(x) for x in v] for k, v in outputs.items()}


def test_the_last_state_is_the_sequence_output_and_the_first_the_embeddings():
    model = made()
    outputs = arrays(hidden_states_model(model, [0, 3, -1, -4])(INPUTS))
    assert list(outputs) == ["hidden_states"]
    first, last, again, first_again = outputs["hidden_states"]
    embedded = model.embeddings(INPUTS["token_ids"], INPUTS["segment_ids"])
    assert np.array_equal(first, keras.ops.convert_to_numpy(embedded))
    assert np.array_equal(first, first_again)
    assert np.array_equal(last, again)
    expected = keras.ops.convert_to_numpy(model(INPUTS)["sequence_output"])
    np.testing.assert_allclose(last, expected, atol=1e-6)


def test_maps_by_formula():
    model = made()
    outputs = arrays(hidden_states_model(model, [0, 1, 2], attention=True)(INPUTS))
    assert len(outputs["attentions"]) == 3
    for block, x, given in zip(
        model.blocks, outputs["hidden_states"], outputs["attentions"], strict=True
    ):
        kernel, bias = map(
            keras.ops.convert_to_numpy, block.attention.query_key_value.weights
        )
        query, key, _ = np.split(x @ kernel + bias, 3, axis=-1)  # (B, L, D)
        assert given.shape == (2, 2, 8, 8)
        for b, keep in enumerate(INPUTS["padding_mask"]):
            for h, dims in enumerate((slice(0, 4), slice(4, 8))):
                scores = query[b, :, dims] @ key[b, :, dims].T / 2  # the root of 4
                weights = np.exp(scores) * keep
                weights /= weights.sum(axis=-1, keepdims=True)
                np.testing.assert_allclose(given[b, h], weights, atol=1e-5)
                assert (given[b, h][:, keep == 0] == 0).all()


def test_maps_are_those_that_the_model_uses():
    model = made()
    outputs = arrays(hidden_states_model(model, [1], attention=True)(INPUTS))
    (x,) = outputs["hidden_states"]
    attention = model.blocks[1].attention
    kernel, bias = map(keras.ops.convert_to_numpy, attention.query_key_value.weights)
    value = (x @ kernel + bias)[..., 16:].reshape(2, 8, 2, 4)  # (B, L, H, d)
    mixed = np.einsum("bhij,bjhd->bihd", outputs["attentions"][1], value)
    kernel, bias = map(keras.ops.convert_to_numpy, attention.output_projection.weights)
    expected = mixed.reshape(2, 8, 8) @ kernel + bias
    mask = (1 - INPUTS["padding_mask"][:, None, None]) * np.float32(-1e9)
    given = keras.ops.convert_to_numpy(attention(x, mask))
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_softmax_runs_in_float32_under_bfloat16():
    states = hidden_states_model(made("mixed_bfloat16"), [1], attention=True)
    outputs = states(INPUTS)
    state, attention = outputs["hidden_states"][0], outputs["attentions"][0]
    assert keras.backend.standardize_dtype(state.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(attention.dtype) == "float32"
    sums = keras.ops.convert_to_numpy(keras.ops.sum(attention, axis=-1))
    np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_the_backbone_stays_as_it_was(tmp_path):
    model = made()
    weights, layers = len(model.weights), len(model.layers)
    before = keras.ops.convert_to_numpy(model(INPUTS)["sequence_output"])
    hidden_states_model(model, [1], attention=True)
    assert (len(model.weights), len(model.layers)) == (weights, layers)
    after = keras.ops.convert_to_numpy(model(INPUTS)["sequence_output"])
    assert np.array_equal(before, after)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    after = keras.ops.convert_to_numpy(again(INPUTS)["sequence_output"])
    assert np.array_equal(before, after)


def test_blocks_nobody_asked_for_are_not_computed():
    states = hidden_states_model(made(), [1])
    blocks = [layer.name for layer in states.layers if "encoder_block" in layer.name]
    assert blocks == ["encoder_block_0"]


@pytest.mark.parametrize("layers", [[], [4], [-5], [0, 4]])
def test_layers_that_are_not_there(layers):
    with pytest.raises(
        ValueError, match="layers must be from -4 to 3, 0 being the emb"
    ):
        hidden_states_model(made(), layers)
