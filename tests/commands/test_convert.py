"""From every format to every other: the weights stay, bit for bit."""

import json

import foreign_directories
import keras
import numpy as np
import pytest
from foreign_rows import Expected
from foreign_table import differences

import kbert
from kbert.checkpoints.model_builder import variables_of
from kbert.commands.convert import TARGETS, convert
from kbert.text.tokenizer_files import load_vocabulary
from kbert.text.vocabulary import Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c", "가", "##나"]
HEADS = {
    "backbone": lambda backbone: backbone,
    "pretrainer": kbert.BertPretrainer,
    "text_classifier": lambda backbone: kbert.BertTextClassifier(backbone, 3),
    "token_classifier": lambda backbone: kbert.BertTokenClassifier(backbone, 3),
    "question_answerer": kbert.BertQuestionAnswerer,
}
# KerasHub has no class for these, nor a place for the next sentence head.
KERASHUB_HEADS = ("backbone", "pretrainer", "text_classifier")


def random_model(head):
    keras.utils.set_random_seed(3)
    backbone = kbert.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
        activation="gelu_tanh",
    )
    model = HEADS[head](backbone)
    for variable in variables_of(model).values():
        variable.assign(np.random.default_rng(5).normal(size=variable.shape))
    return model


@pytest.fixture
def directory(request, tmp_path):
    tokenizer = kbert.ReferenceTokenizer(TOKENS, lowercase=True)
    return kbert.save(random_model(request.param), tmp_path / "model", tokenizer)


def equal(first, second, without=()):
    first, second = variables_of(first), variables_of(second)
    for path, variable in first.items():
        if not path.startswith(without):
            np.testing.assert_array_equal(variable, second[path], err_msg=path)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("directory", HEADS, indirect=True)
@pytest.mark.filterwarnings("ignore:.*newly initialised")
def test_there_and_back(directory, to, tmp_path, capsys):
    head = json.loads((directory / "config.json").read_text())["architectures"][0]
    model = kbert.load(directory)
    there = tmp_path / ("there.keras" if to == "keras" else "there")
    is_by_token = head in ("BertForTokenClassification", "BertForQuestionAnswering")
    if to == "kerashub" and is_by_token:
        with pytest.raises(ValueError, match="KerasHub"):
            convert(str(directory), to, str(there))
        assert not there.exists()
        return
    assert convert(str(directory), to, str(there)) == there
    assert "weights filled from" in capsys.readouterr().out
    if to == "google-tf1" and head == "BertForTokenClassification":
        # Google's names cannot tell it from a text classifier: one has to say so.
        again = kbert.load(there, head="token_classifier")
        equal(model, again, "pooler")
        return
    without = ("next_sentence_head",) if to == "kerashub" else ()
    if is_by_token:
        without = ("pooler",)  # which no output of theirs reads
    back = convert(str(there), "huggingface", str(tmp_path / "back"))
    again = kbert.load(back)
    assert type(again) is type(model)
    equal(model, again, without)
    if to != "keras":
        tokenizer = kbert.load_reference_tokenizer(back)
        assert tokenizer.vocabulary.tokens == tuple(TOKENS)
        assert tokenizer.lowercase is True


@pytest.mark.parametrize("directory", ["text_classifier"], indirect=True)
def test_labels_stay(directory, tmp_path):
    config = json.loads((directory / "config.json").read_text("utf-8"))
    config["id2label"] = {"0": "나쁨", "1": "보통", "2": "좋음"}
    config["label2id"] = {"나쁨": 0, "보통": 1, "좋음": 2}
    (directory / "config.json").write_text(json.dumps(config), "utf-8")
    back = convert(str(directory), "huggingface", str(tmp_path / "back"))
    written = json.loads((back / "config.json").read_text("utf-8"))
    assert written["id2label"] == config["id2label"]


@pytest.mark.parametrize("to", ["huggingface", "google-tf1", "kerashub"])
@pytest.mark.filterwarnings("ignore:.*newly initialised")
def test_added_tokens_are_kept_or_named(to, tmp_path, capsys):
    markers = Vocabulary(TOKENS, added_tokens=["##c", "##나"])
    tokenizer = kbert.ReferenceTokenizer(markers, lowercase=True)
    source = kbert.save(random_model("backbone"), tmp_path / "model", tokenizer)
    there = convert(str(source), to, str(tmp_path / "there"))
    lost = (
        "added tokens: ##c, ##나 keep their rows, but a text" in capsys.readouterr()[0]
    )
    kept = load_vocabulary(there).added_tokens == markers.added_tokens
    assert (kept, lost) == ((True, False) if to == "huggingface" else (False, True))


def test_a_foreign_tokenizer_is_left_behind(tmp_path, capsys):
    tokenizer = kbert.ReferenceTokenizer(TOKENS, lowercase=True)
    source = kbert.save(random_model("backbone"), tmp_path / "model", tokenizer)
    file = source / "tokenizer_config.json"
    stored = json.loads(file.read_text("utf-8"))
    stored["tokenizer_class"] = "BertJapaneseTokenizer"
    file.write_text(json.dumps(stored), "utf-8")
    there = convert(str(source), "huggingface", str(tmp_path / "there"))
    assert "lost: the tokenizer. Expected a tokenizer of B" in capsys.readouterr().out
    assert not (there / "vocab.txt").exists()
    equal(kbert.load(source), kbert.load(there))


@pytest.mark.parametrize("directory", ["backbone"], indirect=True)
def test_errors(directory, tmp_path):
    with pytest.raises(ValueError, match="--to huggingface, google-tf1.*got 'onnx'"):
        convert(str(directory), "onnx", str(tmp_path / "x"))
    with pytest.raises(FileExistsError, match="--overwrite"):
        convert(str(directory), "google-tf1", str(directory))
    with pytest.raises(FileNotFoundError, match="nowhere is neither"):
        convert("nowhere", "keras", str(tmp_path / "x.keras"))


def test_the_encoder_of_a_head_of_somebodys_own(tmp_path, capsys):
    made = tmp_path / "made"
    expected = foreign_directories.joint_bert(made)
    with pytest.raises(ValueError, match=r"is of JointBERT.*convert --head backbone"):
        convert(str(made), "huggingface", str(tmp_path / "out"))
    with pytest.warns(UserWarning, match="left out what stands beside the encoder"):
        convert(str(made), "huggingface", str(tmp_path / "out"), head="backbone")
    said = capsys.readouterr().out
    assert all(name in said for name in expected.left_out)
    gaps = differences(tmp_path / "out", Expected(expected.outputs))
    assert max(gaps.values()) < 1e-4
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert (config["architectures"], config["model_type"]) == (["BertModel"], "bert")
