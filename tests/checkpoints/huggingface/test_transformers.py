"""Both ways between kbert and the transformers that is installed, heads included."""

import json

import keras
import numpy as np
import pytest
from foreign_reference import OUTPUTS

from kbert.checkpoints.load_and_save import load, load_with_report, save
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

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
        "BertForTokenClassification": lambda: BertTokenClassifier(backbone, 3),
        "BertForQuestionAnswering": lambda: BertQuestionAnswerer(backbone),
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
    return {
        ours: outputs[name].numpy() for name, ours in OUTPUTS.items() if name in outputs
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
        ("BertForTokenClassification", {"id2label": {"0": "a", "1": "b", "2": "c"}}),
        ("BertForTokenClassification", {}),
        ("BertForQuestionAnswering", {}),
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
        assert theirs.config.label2id == {"a": 0, "b": 1, "c": 2}
    # and back: what transformers writes of it is the same, bit for bit
    theirs.save_pretrained(tmp_path / "again")
    again = load(tmp_path / "again")
    for a, b in zip(model.weights, again.weights, strict=True):
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        assert np.array_equal(a, b)


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
    "kind",
    [
        "BertModel",
        "BertForPreTraining",
        "BertForSequenceClassification",
        "BertForTokenClassification",
        "BertForQuestionAnswering",
    ],
)
@pytest.mark.parametrize("activation", ["gelu", "gelu_pytorch_tanh"])
def test_theirs_in_ours(tmp_path, kind, activation):
    torch.manual_seed(0)
    num_labels = 2 if kind == "BertForQuestionAnswering" else 3
    config = transformers.BertConfig(
        **SIZES, hidden_act=activation, num_labels=num_labels
    )
    theirs = getattr(transformers, kind)(config)
    theirs.save_pretrained(tmp_path / "model")
    assert_near(our_outputs(load(tmp_path / "model")), their_outputs(theirs))


@pytest.mark.parametrize(
    "kind, output, new",
    [
        (
            "BertForMaskedLM",
            "masked_lm",
            {
                "pooler/kernel",
                "pooler/bias",
                "next_sentence_head/dense/kernel",
                "next_sentence_head/dense/bias",
            },
        ),
        (
            "BertForNextSentencePrediction",
            "next_sentence",
            {
                "masked_lm_head/transform/kernel",
                "masked_lm_head/transform/bias",
                "masked_lm_head/norm/gamma",
                "masked_lm_head/norm/beta",
                "masked_lm_head/output_bias",
            },
        ),
    ],
)
def test_half_a_pretrainer(tmp_path, kind, output, new):
    torch.manual_seed(0)
    theirs = getattr(transformers, kind)(transformers.BertConfig(**SIZES))
    theirs.save_pretrained(tmp_path / "model")
    with pytest.warns(UserWarning, match="no weights for .*head, newly initialised"):
        model, report = load_with_report(tmp_path / "model")
    assert set(report.newly_initialised) == new
    assert type(model) is BertPretrainer
    logits = their_outputs(theirs)["logits"]
    assert np.abs(our_outputs(model)[output] - logits).max() <= 2e-5


@pytest.mark.parametrize("layout", ["safetensors", "bfloat16", "bin", "bin in parts"])
def test_layouts_of_the_weights(tmp_path, layout):
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, num_labels=3)
    theirs = transformers.BertForSequenceClassification(config)
    directory = tmp_path / "model"
    if layout == "bfloat16":
        theirs.bfloat16().save_pretrained(directory)
        theirs.float()
    elif layout == "safetensors":
        theirs.save_pretrained(directory, max_shard_size="4kB")
        assert len(list(directory.glob("*.safetensors"))) > 2
    else:
        theirs.save_pretrained(directory)
        (directory / "model.safetensors").unlink()
        state = theirs.state_dict()
        parts = {"pytorch_model.bin": state}
        if layout == "bin in parts":
            half = dict(list(state.items())[:20])
            rest = {name: state[name] for name in state if name not in half}
            parts = {"pytorch_model-1.bin": half, "pytorch_model-2.bin": rest}
            files = {name: file for file, part in parts.items() for name in part}
            (directory / "pytorch_model.bin.index.json").write_text(
                json.dumps({"metadata": {}, "weight_map": files})
            )
        for file, part in parts.items():
            torch.save(part, directory / file)
    model = load(directory)
    assert_near(our_outputs(model), their_outputs(theirs))
    expected = theirs.bert.embeddings.word_embeddings.weight.detach().numpy()
    table = model.backbone.embeddings.token_embedding.embeddings
    assert np.array_equal(keras.ops.convert_to_numpy(table), expected)


def test_settings_of_transformers(tmp_path):
    config = transformers.BertConfig(
        **SIZES,
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.3,
        classifier_dropout=0.4,
        layer_norm_eps=1e-7,
        type_vocab_size=3,
        pad_token_id=1,
        num_labels=1,
        problem_type="regression",
    )
    theirs = transformers.BertForSequenceClassification(config)
    theirs.save_pretrained(tmp_path / "model")
    model = load(tmp_path / "model")
    assert model.num_classes == 1
    assert model.dropout == 0.4
    backbone = model.backbone
    assert (backbone.dropout, backbone.attention_dropout) == (0.2, 0.3)
    assert backbone.layer_norm_epsilon == 1e-7
    assert backbone.num_segments == 3
    assert backbone.max_sequence_length == 12
    assert backbone.initializer_range == 0.2
    assert_near(our_outputs(model), their_outputs(theirs))
    more = {"problem_type": "regression", "id2label": {"0": "score"}, "pad_token_id": 1}
    save(model, tmp_path / "ours", config=more)
    again = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path / "ours"
    )
    for name in (
        "problem_type",
        "pad_token_id",
        "classifier_dropout",
        "layer_norm_eps",
        "type_vocab_size",
        "attention_probs_dropout_prob",
        "num_labels",
    ):
        assert getattr(again.config, name) == getattr(config, name), name
    assert_near(our_outputs(model), their_outputs(again))


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
