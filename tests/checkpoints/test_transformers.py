"""Both ways between kbert and the transformers that is installed, heads included."""

import json

import keras
import numpy as np
import pytest

from kbert.checkpoints.model_directory import load, save
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed"
)

TOKEN_IDS = np.array([[2, 7, 4, 3, 9, 3, 0, 0], [2, 4, 31, 3, 0, 0, 0, 0]], "int32")
SEGMENT_IDS = np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "int32")
PADDING_MASK = (TOKEN_IDS > 0).astype("int32")
POSITIONS = np.tile(np.arange(8, dtype="int32"), (2, 1))
SIZES = {
    "vocab_size": 50,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "initializer_range": 0.2,
}


def ours(kind, activation="gelu"):
    backbone = BertBackbone(
        50, 2, 2, 16, 24, activation=activation, max_sequence_length=12, dropout=0.2
    )
    model = {
        "BertModel": lambda: backbone,
        "BertForPreTraining": lambda: BertPretrainer(backbone),
        "BertForSequenceClassification": lambda: BertTextClassifier(backbone, 3),
    }[kind]()
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.4)
    return model


def our_outputs(model):
    inputs = {
        "token_ids": TOKEN_IDS,
        "segment_ids": SEGMENT_IDS,
        "padding_mask": PADDING_MASK,
    }
    if isinstance(model, BertPretrainer):
        inputs["mask_positions"] = POSITIONS
    outputs = model(inputs)
    outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def their_outputs(model):
    model.eval()
    with torch.no_grad():
        outputs = model(
            input_ids=torch.tensor(TOKEN_IDS).long(),
            token_type_ids=torch.tensor(SEGMENT_IDS).long(),
            attention_mask=torch.tensor(PADDING_MASK).long(),
        )
    names = {
        "last_hidden_state": "sequence_output",
        "pooler_output": "pooled_output",
        "prediction_logits": "masked_lm",
        "seq_relationship_logits": "next_sentence",
        "logits": "logits",
    }
    return {
        ours: outputs[name].numpy() for name, ours in names.items() if name in outputs
    }


def assert_near(one, other):
    assert set(one) == set(other)
    for name in one:
        assert np.abs(one[name] - other[name]).max() <= 2e-5, name


@pytest.mark.parametrize(
    "kind, more_config",
    [
        ("BertModel", {}),
        ("BertForPreTraining", {}),
        (
            "BertForSequenceClassification",
            {"id2label": {"0": "a", "1": "b", "2": "c"}},
        ),
        ("BertForSequenceClassification", {}),
    ],
)
def test_ours_in_theirs(tmp_path, kind, more_config):
    model = ours(kind, "gelu_tanh")
    save(model, tmp_path / "model", config=more_config)
    theirs, info = getattr(transformers, kind).from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert {k: list(v) for k, v in info.items() if v} == {}
    assert_near(our_outputs(model), their_outputs(theirs))
    assert theirs.config.hidden_dropout_prob == 0.2
    if more_config:
        assert theirs.config.id2label == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize(
    "activation, name",
    [
        ("gelu", "gelu"),
        ("gelu_tanh", "gelu_new"),
        ("relu", "relu"),
        ("silu", "silu"),
        ("tanh", "tanh"),
    ],
)
def test_activations_by_name_and_number(tmp_path, activation, name):
    model = ours("BertModel", activation)
    save(model, tmp_path / "model")
    theirs = transformers.BertModel.from_pretrained(tmp_path / "model")
    assert theirs.config.hidden_act == name
    assert_near(our_outputs(model), their_outputs(theirs))
    assert load(tmp_path / "model").activation == activation


@pytest.mark.parametrize(
    "kind", ["BertModel", "BertForPreTraining", "BertForSequenceClassification"]
)
@pytest.mark.parametrize("activation", ["gelu", "gelu_pytorch_tanh"])
def test_theirs_in_ours(tmp_path, kind, activation):
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, hidden_act=activation, num_labels=3)
    theirs = getattr(transformers, kind)(config)
    theirs.save_pretrained(tmp_path / "model")
    assert_near(our_outputs(load(tmp_path / "model")), their_outputs(theirs))


def test_two_labels_which_transformers_does_not_write(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES)
    theirs = transformers.BertForSequenceClassification(config)
    theirs.save_pretrained(tmp_path / "model")
    written = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert "num_labels" not in written
    model = load(tmp_path / "model")
    assert model.num_classes == 2
    assert_near(our_outputs(model), their_outputs(theirs))
