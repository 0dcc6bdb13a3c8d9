"""Models that transformers saved give transformers' numbers (see make_golden.py)."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import (
    load,
    load_backbone,
    load_with_report,
)
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

DATA = Path(__file__).parents[2] / "data"
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
def test_backbone_with_its_pooler(name):
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


def test_token_classifier_in_float16():
    directory, inputs, expected = golden("token_classifier")
    model, report = load_with_report(directory)
    assert type(model) is BertTokenClassifier
    assert model.num_classes == 4
    assert model.backbone.activation == "relu"
    assert report.newly_initialised == ()
    outputs = model.backbone(inputs)
    assert_near(outputs["sequence_output"], expected["sequence_output"])
    assert_near(model(inputs), expected["logits"])


def test_question_answerer_in_bfloat16_and_two_files():
    directory, inputs, expected = golden("question_answerer")
    assert len(list(directory.glob("*.safetensors"))) == 2
    model = load(directory)
    assert type(model) is BertQuestionAnswerer
    assert model.backbone.layer_norm_epsilon == 1e-5
    outputs = model.backbone(inputs)
    assert_near(outputs["sequence_output"], expected["sequence_output"])
    outputs = model(inputs)
    assert set(outputs) == {"start_logits", "end_logits"}
    for name, logits in outputs.items():
        assert_near(logits, expected[name])


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu", "tanh"])
def test_every_activation(tmp_path, activation):
    source, _, _ = golden("pretrainer")
    arrays = dict(np.load(DATA / "core_golden_activations.npz"))
    shutil.copytree(source, tmp_path / "model")
    config = json.loads((source / "config.json").read_text("utf-8"))
    config["hidden_act"] = activation
    (tmp_path / "model" / "config.json").write_text(json.dumps(config), "utf-8")
    model = load(tmp_path / "model")
    inputs = {name: arrays[name] for name in BACKBONE_INPUTS}
    outputs = model.backbone(inputs)
    outputs |= model(inputs | {"mask_positions": np.full((3, 1), 4, "int32")})
    outputs["masked_lm"] = outputs["masked_lm"][:, 0]  # (B, V)
    for name, array in outputs.items():
        assert_near(array, arrays[f"{activation}/{name}"])


def test_the_other_gelu_would_be_noticed():
    directory, inputs, expected = golden("classifier")
    right = load(directory)
    config = right.backbone.get_config() | {"activation": "gelu"}
    wrong = BertBackbone.from_config(config)
    wrong.set_weights(right.backbone.get_weights())
    y = keras.ops.convert_to_numpy(wrong(inputs)["sequence_output"])
    assert np.abs(y - expected["sequence_output"]).max() > 2e-4
