"""Heads and settings that do not fit each other: what is there rules, and is said."""

import json
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kbert
from kbert.checkpoints.load_and_save import load, load_backbone, save
from kbert.registry import kind_of


def made(kind="classifier"):
    backbone = kbert.BertBackbone(8, 1, 2, 16, 24, max_sequence_length=12)
    model = kbert.BertTextClassifier(backbone, 3) if kind == "classifier" else backbone
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model


@pytest.fixture
def saved(tmp_path):
    return save(made(), tmp_path / "model")


def change_config(directory, **fields):
    path = directory / "config.json"
    config = json.loads(path.read_text("utf-8")) | fields
    config = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps(config), "utf-8")


def change_weights(directory, change):
    tensors = load_file(directory / "model.safetensors")
    save_file(change(tensors), directory / "model.safetensors")


def test_the_settings_of_another_head(saved):
    # As where a state dict is put beside the config.json it was trained from.
    change_config(saved, architectures=["BertForMaskedLM"], id2label={"0": "a"})
    with pytest.warns(UserWarning, match="names BertForMaskedLM, whose head is not th"):
        model = load(saved)
    assert (kind_of(model).head, model.num_classes) == ("text_classifier", 3)


def test_a_head_under_another_name_can_be_said(saved):
    change_config(saved, architectures=["KoBertSentiment"])
    with pytest.raises(ValueError, match=r"is of KoBertSentiment.*load\(path, head=…"):
        load(saved)
    model = load(saved, head="text_classifier")
    kernel = model.classifier.kernel.numpy()
    assert np.array_equal(kernel, made().classifier.kernel.numpy())


def test_a_head_on_one_that_kbert_has_not(saved):
    change_weights(saved, lambda found: found | {"crf.start": np.zeros(3, "f4")})
    with pytest.raises(ValueError, match=r"place in it: crf\.start\..*load_backbone\("):
        load(saved)
    with pytest.warns(UserWarning, match=r"stands beside the encoder, crf\.start\."):
        load_backbone(saved)
    with pytest.warns(UserWarning, match=r"stands beside the encoder, crf\.start\."):
        load(saved, head="question_answerer")


@pytest.mark.parametrize("name", ["lora_A.default.weight", "weight_mask"])
def test_what_stands_within_the_encoder_is_not_left_out(saved, name):
    name = f"bert.encoder.layer.0.attention.self.query.{name}"
    change_weights(saved, lambda found: found | {name: np.zeros(3, "f4")})
    with pytest.raises(ValueError, match=f"1 have no place in it: {name}"):
        load_backbone(saved)


@pytest.mark.parametrize("name", ["loss_fct.weight", "criterion.weight", "loss_scale"])
def test_what_training_leaves_is_not_the_models(saved, name):
    change_weights(saved, lambda found: found | {name: np.zeros(3, "f4")})
    assert kind_of(load(saved)).head == "text_classifier"


def test_a_model_type_of_somebodys_own(saved):
    change_config(saved, model_type="ko_bert")
    with pytest.warns(UserWarning, match='"ko_bert", which kbert does not know'):
        load(saved)
    change_weights(saved, lambda found: {"x.weight": found["classifier.weight"]})
    with pytest.raises(ValueError, match='"ko_bert", and none of its tensors is named'):
        load(saved)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"model_type": "xlm-roberta"}, '"model_type": "xlm-roberta"'),
        (
            {"model_type": None, "architectures": ["ElectraForPreTraining"]},
            "names Electra",
        ),
        ({"model_type": ["bert"]}, r'"model_type": \["bert"\]'),
    ],
)
def test_other_architectures(saved, fields, said):
    change_config(saved, **fields)
    with pytest.raises(ValueError, match=f"Expected a BERT in .*{said}"):
        load_backbone(saved)


def test_roberta_under_a_config_that_does_not_say_so(saved):
    change_config(saved, model_type=None, architectures=None)
    change_weights(
        saved, lambda found: {n.replace("bert.", "roberta."): found[n] for n in found}
    )
    with pytest.raises(ValueError, match=r'under "roberta\." are of roberta, another'):
        load_backbone(saved)


def test_two_files_of_weights_that_differ(saved):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensors = load_file(saved / "model.safetensors")
    half = {f"module.{n}": torch.tensor(t).half() for n, t in tensors.items()}
    torch.save(half, saved / "pytorch_model.bin")
    with warnings.catch_warnings():  # the same model, rounded
        warnings.simplefilter("error", UserWarning)
        load(saved)
    half["module.bert.encoder.layer.0.output.dense.bias"] += 0.5
    torch.save(half, saved / "pytorch_model.bin")
    with pytest.warns(
        UserWarning,
        match=r"model\.safetensors and pytorch_model\.bin hold different models \(in "
        r"bert\.encoder\.layer\.0\.output\.dense\.bias.*model\.safetensors is read",
    ):
        model = load(saved)
    kernel = model.classifier.kernel.numpy()
    assert np.array_equal(kernel, made().classifier.kernel.numpy())


def test_weights_under_a_name_of_ones_own(saved):
    (saved / "model.safetensors").rename(saved / "best_model.pt")
    (saved / "training_args.bin").write_bytes(b"")
    with pytest.raises(
        FileNotFoundError, match=r"best_model\.pt is: if it holds a state dict, name it"
    ):
        load(saved)
