"""Masks of every kind in every dtype: finite, and where it is defined transformers'."""

import functools

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer

LENGTH = 6
MASKS = {
    "ones": [1, 1, 1, 1, 1, 1],
    "zeros": [0, 0, 0, 0, 0, 0],
    "padding behind": [1, 1, 1, 0, 0, 0],
    "padding before": [0, 0, 0, 1, 1, 1],
    "holes": [1, 0, 1, 1, 0, 1],
    "one": [0, 0, 1, 0, 0, 0],
}
# Largest difference to float32 for vectors of length 2.8, one for all masks.
TOLERANCES = {
    "float32": 1e-5,
    "mixed_bfloat16": 0.1,
    "mixed_float16": 0.01,
    "bfloat16": 0.1,
    "float16": 0.01,
}
SMALL = {
    "vocabulary_size": 12,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": LENGTH,
    "initializer_range": 0.3,
}


def inputs(kind="int32"):
    masks = np.array(list(MASKS.values()))
    ids = np.random.default_rng(0).integers(1, 12, masks.shape)
    return {
        "token_ids": ids.astype("int32"),
        "segment_ids": np.zeros(masks.shape, "int32"),
        "padding_mask": masks.astype(kind),
    }


@functools.cache
def model(dtype):
    keras.utils.set_random_seed(3)
    made = BertPretrainer(BertBackbone(**SMALL, dtype=dtype))
    if dtype != "float32":
        made.set_weights(model("float32").get_weights())
    return made


def vectors(dtype, kind="int32"):
    outputs = model(dtype).backbone.predict_on_batch(inputs(kind))
    return {name: np.asarray(x, "float32") for name, x in outputs.items()}


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_every_mask_is_finite_and_as_in_float32(dtype):
    expected = vectors("float32")
    for name, found in vectors(dtype).items():
        for row, mask in enumerate(MASKS):
            assert np.isfinite(found[row]).all(), (name, mask)
            difference = np.abs(found[row] - expected[name][row]).max()
            assert difference <= TOLERANCES[dtype], (name, mask)


def test_every_mask_leaves_logits_finite():
    positions = np.tile(np.array([[1, 4]], "int32"), (len(MASKS), 1))
    given = inputs() | {"mask_positions": positions}
    outputs = model("mixed_float16").predict_on_batch(given)
    for name, logits in outputs.items():
        assert np.isfinite(logits).all(), name


@pytest.mark.parametrize("kind", ["bool", "float32", "float16", "int64"])
def test_masks_of_every_dtype_are_those_of_int32(kind):
    expected = vectors("mixed_float16")
    for name, found in vectors("mixed_float16", kind).items():
        assert np.array_equal(found, expected[name]), name


def test_every_mask_is_that_of_transformers(tmp_path):
    """Eager attention: what its other kinds give to a row of zeros is not defined."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from kbert.checkpoints.load_and_save import save

    save(model("float32").backbone, tmp_path / "model")
    try:
        theirs = transformers.BertModel
    except ImportError:  # where an import of TensorFlow fails, as in the tests on JAX
        pytest.skip("transformers' BertModel cannot be imported here")
    theirs = theirs.from_pretrained(tmp_path / "model", attn_implementation="eager")
    given = {name: torch.tensor(array).long() for name, array in inputs().items()}
    with torch.no_grad():
        expected = theirs.eval()(
            input_ids=given["token_ids"],
            token_type_ids=given["segment_ids"],
            attention_mask=given["padding_mask"],
        )
    found = vectors("float32")
    for ours, name in (
        ("sequence_output", "last_hidden_state"),
        ("pooled_output", "pooler_output"),
    ):
        np.testing.assert_allclose(found[ours], expected[name].numpy(), atol=2e-6)
