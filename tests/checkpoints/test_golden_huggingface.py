"""Models that transformers saved give transformers' numbers (see make_golden.py)."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.checkpoints.model_directory import load, load_backbone
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier

DATA = Path(__file__).parents[1] / "data"
BACKBONE_INPUTS = ("token_ids", "segment_ids", "padding_mask")


def golden(name):
    """The model directory, its inputs, and the numbers expected."""
    arrays = dict(np.load(DATA / f"core_golden_{name}.npz"))
    inputs = {key: arrays.pop(key) for key in BACKBONE_INPUTS}
    return DATA / f"core_golden_{name}", inputs, arrays


def assert_near(actual, expected):
    actual = keras.ops.convert_to_numpy(actual)
    assert actual.shape == expected.shape
    assert expected.std() > 0.1  # else nearness would mean nothing
    assert np.abs(actual - expected).max() <= 2e-5


@pytest.mark.parametrize("name", ["pretrainer", "classifier"])
def test_backbone(name):
    directory, inputs, expected = golden(name)
    backbone = load_backbone(directory)
    assert type(backbone) is BertBackbone
    outputs = backbone(inputs)
    assert_near(outputs["sequence_output"], expected["sequence_output"])
    assert_near(outputs["pooled_output"], expected["pooled_output"])


def test_pretrainer():
    directory, inputs, expected = golden("pretrainer")
    model = load(directory)
    assert type(model) is BertPretrainer
    assert model.backbone.activation == "gelu"
    positions = np.tile(np.arange(12, dtype="int32"), (3, 1))
    outputs = model(inputs | {"mask_positions": positions})
    assert_near(outputs["masked_lm"], expected["masked_lm"])
    assert_near(outputs["next_sentence"], expected["next_sentence"])


def test_classifier():
    directory, inputs, expected = golden("classifier")
    model = load(directory)
    assert type(model) is BertTextClassifier
    assert model.num_classes == 3
    assert model.backbone.activation == "gelu_tanh"
    assert_near(model(inputs), expected["logits"])


def test_the_other_gelu_would_be_noticed():
    directory, inputs, expected = golden("classifier")
    right = load(directory)
    config = right.backbone.get_config() | {"activation": "gelu"}
    wrong = BertBackbone.from_config(config)
    wrong.set_weights(right.backbone.get_weights())
    y = keras.ops.convert_to_numpy(wrong(inputs)["sequence_output"])
    assert np.abs(y - expected["sequence_output"]).max() > 2e-4
