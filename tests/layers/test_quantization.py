"""What a quantized layer's codes stand for, on each backend."""

import keras
import numpy as np
import pytest

from kbert.layers.quantization import (
    first_rows,
    float_weight,
    is_quantized,
    parts_of,
    quantized_config,
)
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")


def array(value):
    return keras.ops.convert_to_numpy(value)


def built(layer, shape):
    layer.build(shape)
    for i, weight in enumerate(layer.weights):
        weight.assign(np.random.default_rng(i).normal(0, 0.02, weight.shape))
    return layer


LAYERS = {
    "dense": lambda: built(keras.layers.Dense(6), (None, 8)),
    "embedding": lambda: built(keras.layers.Embedding(6, 8), (None,)),
}


@pytest.mark.parametrize("mode, levels", [("int8", 127), ("int4", 7)])
@pytest.mark.parametrize("kind", LAYERS)
def test_codes_stand_for_numbers(kind, mode, levels):
    layer = LAYERS[kind]()
    before = float_weight(layer)
    layer.quantize(mode)
    after = float_weight(layer)
    assert after.dtype == "float32" and is_quantized(layer) is False  # of its parts
    step = np.abs(before).max() / levels
    np.testing.assert_allclose(after, before, atol=step)
    assert not np.array_equal(after, before)
    if kind == "embedding":
        np.testing.assert_allclose(array(first_rows(layer, 3)), after[:3], atol=1e-7)


def test_an_adapter_is_added():
    layer = LAYERS["dense"]()
    before = float_weight(layer)
    layer.enable_lora(2, lora_alpha=4)
    layer.lora_kernel_b.assign(np.ones((2, 6)))
    added = 2.0 * array(layer.lora_kernel_a) @ np.ones((2, 6))
    np.testing.assert_allclose(float_weight(layer), before + added, atol=1e-6)


def test_gptq_is_not_undone():
    layer = LAYERS["dense"]()
    config = keras.quantizers.GPTQConfig(dataset=["a"], tokenizer=str.split)
    layer.quantize("gptq", config=config)
    with pytest.raises(ValueError, match="numbers, int8, .*; .* are gptq. Take the m"):
        float_weight(layer)


def test_a_whole_model():
    keras.utils.set_random_seed(0)
    model = BertPretrainer(BertBackbone(50, 1, 2, 32, 32))
    ids = np.array([[2, 7, 8, 3, 9, 3, 0], [2, 6, 3, 0, 0, 0, 0]], "int32")
    inputs = {
        "token_ids": ids,
        "segment_ids": (ids == 9).astype("int32"),
        "padding_mask": (ids > 0).astype("int32"),
        "mask_positions": np.array([[1, 4], [1, 0]], "int32"),
    }
    before = model.predict_on_batch(inputs)
    model.quantize("int8")
    after = model.predict_on_batch(inputs)
    a, b = before["masked_lm"].ravel(), after["masked_lm"].ravel()
    assert a @ b / np.sqrt((a @ a) * (b @ b)) >= 0.999
    # Four numbers near 0, as of every new head, tell no angle.
    difference = after["next_sentence"] - before["next_sentence"]
    assert 0 < np.abs(difference).max() < 5e-4
    assert is_quantized(model) and is_quantized(model.backbone)
    places = set(quantized_config(model.backbone)["quantized"])
    assert places <= set(parts_of(model.backbone))
    assert "blocks.0.attention.query_key_value" in places
    assert {p for p in places if p.startswith("embeddings.")} == {
        f"embeddings.{name}_embedding" for name in ("token", "position", "segment")
    }
