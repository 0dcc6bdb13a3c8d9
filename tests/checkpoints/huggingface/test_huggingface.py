"""Hugging Face directories: old spellings, settings, layouts, and what is refused."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kbert.checkpoints.huggingface.directory import is_checkpoint, read_checkpoint
from kbert.checkpoints.load_and_save import (
    load,
    load_backbone,
    load_with_report,
    save,
)
from kbert.checkpoints.model_builder import variables_of
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

DATA = Path(__file__).parents[2] / "data"
HEADS = {
    "backbone": lambda backbone: backbone,
    "pretrainer": BertPretrainer,
    "text_classifier": lambda backbone: BertTextClassifier(backbone, 3),
    "token_classifier": lambda backbone: BertTokenClassifier(backbone, 3),
    "question_answerer": BertQuestionAnswerer,
}


def made(head="pretrainer"):
    model = HEADS[head](BertBackbone(8, 2, 2, 16, 24, max_sequence_length=12))
    for i, weight in enumerate(variables_of(model).values()):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model


def assert_same(model, other):
    assert type(model) is type(other)
    for a, b in zip(model.weights, other.weights, strict=True):
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        assert np.array_equal(a, b)


@pytest.fixture
def saved(tmp_path):
    save(made(), tmp_path / "model")
    return tmp_path / "model"


def change_config(directory, *absent, **fields):
    path = directory / "config.json"
    config = json.loads(path.read_text("utf-8")) | fields
    config = {name: value for name, value in config.items() if name not in absent}
    path.write_text(json.dumps(config), "utf-8")


def change_weights(directory, change):
    tensors = load_file(directory / "model.safetensors")
    tensors = change(tensors) or tensors
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("head", HEADS)
def test_every_head_comes_back_bit_for_bit(tmp_path, head):
    model = made(head)
    save(model, tmp_path / "model")
    loaded, report = load_with_report(tmp_path / "model")
    assert_same(model, loaded)
    assert (report.format, report.head) == ("Hugging Face", head)
    assert report.ignored == {}
    assert report.newly_initialised == ()
    names = load_file(tmp_path / "model" / "model.safetensors")
    assert report.used == tuple(sorted(names))
    has_pooler = "bert.pooler.dense.weight" in names
    assert has_pooler == (head not in ("token_classifier", "question_answerer"))


@pytest.mark.parametrize("head", HEADS)
def test_the_head_is_seen_where_nothing_names_it(tmp_path, head):
    model = made(head)
    save(model, tmp_path / "model")
    change_config(tmp_path / "model", "architectures", "id2label", "model_type")
    assert_same(model, load(tmp_path / "model"))


def test_gamma_and_beta(saved):
    old = {
        ".LayerNorm.weight": ".LayerNorm.gamma",
        ".LayerNorm.bias": ".LayerNorm.beta",
    }

    def rename(tensors):
        for name in list(tensors):
            for new, former in old.items():
                if name.endswith(new):
                    tensors[name.replace(new, former)] = tensors.pop(name)

    change_weights(saved, rename)
    loaded, report = load_with_report(saved)
    assert_same(made(), loaded)
    # The report has the names of the file.
    assert report.filled["embeddings/norm/gamma"] == (
        "bert.embeddings.LayerNorm.gamma",
    )


def test_the_settings_of_a_head_that_was_not_asked_for_do_not_matter(tmp_path):
    model = made("token_classifier")
    save(model, tmp_path / "model")
    with pytest.warns(UserWarning, match="no weights for pooler, newly initialised"):
        backbone = load_backbone(tmp_path / "model")
    pooler = [v.path for v in backbone.pooler.weights]
    for a, b in zip(model.backbone.weights, backbone.weights, strict=True):
        if a.path not in pooler:
            assert np.array_equal(*map(keras.ops.convert_to_numpy, (a, b)))


def test_a_head_of_somebodys_own(tmp_path):
    save(made("text_classifier"), tmp_path / "model")
    change_config(tmp_path / "model", architectures=["BertForDoors"])
    change_weights(tmp_path / "model", lambda t: t.update(door=np.zeros(3, "f4")))
    backbone = load_backbone(tmp_path / "model")
    assert_same(made("text_classifier").backbone, backbone)
    with pytest.raises(ValueError, match="is of BertForDoors. Its backbone loads"):
        load(tmp_path / "model")


def test_an_untied_decoder(saved):
    def add(tensors, by=0.0):
        table = tensors["bert.embeddings.word_embeddings.weight"] + np.float32(by)
        tensors["cls.predictions.decoder.weight"] = table

    change_config(saved, tie_word_embeddings=False)
    change_weights(saved, add)
    assert_same(made(), load(saved))  # said to be untied, and equal all the same
    change_weights(saved, lambda tensors: add(tensors, 0.5))
    with pytest.raises(
        ValueError, match="BertForPreTraining with a decoder of its own"
    ):
        load(saved)
    assert_same(made().backbone, load_backbone(saved))


def test_the_bias_of_the_vocabulary_under_its_other_name(saved):
    def rename(tensors):
        tensors["cls.predictions.decoder.bias"] = tensors.pop("cls.predictions.bias")

    change_weights(saved, rename)
    assert_same(made(), load(saved))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"model_type": "roberta"}, 'Expected a BERT in .*"model_type": "roberta"'),
        ({"model_type": "albert"}, '"model_type": "albert"'),
        ({"model_type": "electra"}, '"model_type": "electra"'),
        ({"model_type": "distilbert"}, '"model_type": "distilbert"'),
        ({"model_type": "deberta-v2"}, '"model_type": "deberta-v2"'),
        ({"model_type": "xlm-roberta"}, '"model_type": "xlm-roberta"'),
        (
            {"model_type": "bert", "architectures": ["RobertaModel"]},
            r"Expected a BERT in .*config\.json names RobertaModel",
        ),
        (
            {"position_embedding_type": "relative_key"},
            'position_embedding_type to be "absolute"; config.json says "relative_key"',
        ),
        ({"is_decoder": True}, "is_decoder to be false; config.json says true"),
        ({"pruned_heads": {"0": [1]}}, r'pruned_heads to be {}; .* says {"0": \[1\]}'),
        ({"quantization_config": {"bits": 4}}, "quantization_config to be null"),
    ],
)
def test_other_architectures_are_named(saved, fields, message):
    change_config(saved, **fields)
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_harmless_values_of_settings(saved):
    change_config(
        saved,
        position_embedding_type=None,
        is_decoder=False,
        pruned_heads={},
        quantization_config=None,
        use_cache=True,
        something_new={"a": 1},
    )
    assert_same(made(), load(saved))


def test_a_config_that_is_a_list(saved):
    (saved / "config.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"an object of settings in .*; got \[1, 2\]"):
        read_checkpoint(saved)


def test_the_config_of_the_first_years(saved):
    (saved / "config.json").rename(saved / "bert_config.json")
    assert_same(made(), load(saved))


def split(directory, names_of_files=("m-1.safetensors", "m-2.safetensors")):
    """The weights in two files and an index, as transformers writes large models."""
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    weight_map = {}
    for i, file in enumerate(names_of_files):
        part = {name: tensors[name] for name in sorted(tensors)[i::2]}
        save_file(part, directory / Path(file).name)
        weight_map |= dict.fromkeys(part, file)
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


def test_several_files(saved):
    split(saved)
    assert is_checkpoint(saved)
    assert_same(made(), load(saved))


def test_several_files_of_which_one_is_missing(saved):
    split(saved)
    (saved / "m-2.safetensors").unlink()
    message = r"Expected .*m-2\.safetensors, which model.safetensors.index.json names"
    with pytest.raises(FileNotFoundError, match=message):
        load(saved)


def test_several_files_of_which_one_is_cut_short(saved):
    split(saved)
    file = saved / "m-2.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"whole safetensors file in .*m-2\.safetens"):
        load(saved)


def test_several_files_of_different_models(saved):
    split(saved)
    shutil.copy(saved / "m-1.safetensors", saved / "m-2.safetensors")
    with pytest.raises(ValueError, match=r"in .*m-2\.safe.*of different models: copy"):
        load(saved)


def test_files_elsewhere(saved):
    split(saved, ("m-1.safetensors", "../m-2.safetensors"))
    with pytest.raises(ValueError, match=r"names '\.\./m-2\.safetensors', elsewhere"):
        load(saved)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 1}', "{}"])
def test_a_damaged_index(saved, text):
    split(saved).write_text(text)
    with pytest.raises(ValueError, match=r'Expected "weight_map" in .*index\.json'):
        load(saved)


def test_the_pickle_of_pytorch(tmp_path, saved):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensors = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    state = {name: torch.tensor(value) for name, value in tensors.items()}
    torch.save(state, saved / "pytorch_model.bin")
    assert_same(made(), load(saved))


def test_safetensors_come_first(saved):
    (saved / "pytorch_model.bin").write_bytes(b"not looked at")
    assert_same(made(), load(saved))


def test_weights_of_other_frameworks_are_named(saved):
    (saved / "model.safetensors").unlink()
    (saved / "flax_model.msgpack").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"flax_model.* is, which is not read"):
        load(saved)


def test_a_download_that_was_not_finished(saved):
    file = saved / "model.safetensors"
    file.rename(saved / "model.safetensors.incomplete")
    with pytest.raises(
        FileNotFoundError, match=r"\.incomplete is a download that was not finished"
    ):
        load(saved)


def test_a_flipped_bit_that_makes_a_number_infinite(saved):
    data = bytearray((saved / "model.safetensors").read_bytes())
    data[-4:] = b"\x00\x00\x80\x7f"
    (saved / "model.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match="finite numbers in .*damaged"):
        load(saved)


def test_labels_that_are_not_as_many_as_the_classes(tmp_path):
    with pytest.raises(
        ValueError, match="to name the 3 classes of the model; it names 2"
    ):
        save(
            made("token_classifier"),
            tmp_path / "model",
            config={"id2label": {"0": "O", "1": "B-PER"}},
        )
    assert list(tmp_path.iterdir()) == []


def test_labels_and_problem_type_are_kept(tmp_path):
    labels = {"0": "O", "1": "B-PER", "2": "I-PER"}
    save(
        made("token_classifier"),
        tmp_path / "model",
        config={"id2label": labels, "problem_type": "single_label_classification"},
    )
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForTokenClassification"]
    assert config["id2label"] == labels
    assert config["label2id"] == {"O": 0, "B-PER": 1, "I-PER": 2}
    assert config["problem_type"] == "single_label_classification"


def test_a_question_answerer_has_no_labels(tmp_path):
    save(made("question_answerer"), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForQuestionAnswering"]
    assert "id2label" not in config
    assert "num_labels" not in config


def test_what_is_no_hugging_face_directory(tmp_path, saved):
    assert is_checkpoint(saved)
    assert is_checkpoint(DATA / "core_golden_question_answerer")
    assert not is_checkpoint(tmp_path)
    assert not is_checkpoint(saved / "config.json")
    assert not is_checkpoint(saved / "absent")
    (saved / "model.safetensors").unlink()
    assert is_checkpoint(saved)  # so that its missing weights are named
    (saved / "model.ckpt.index").touch()
    assert not is_checkpoint(saved)
    (saved / "model.ckpt.index").unlink()
    change_config(saved, registered_name="keras_hub>BertBackbone")
    assert not is_checkpoint(saved)
