"""`.keras` files: exact, whole or not there, and refused with a reason."""

import json
import zipfile

import keras
import numpy as np
import pytest

from kbert.checkpoints.keras.keras_file import is_keras_file, read_keras, write_keras
from kbert.checkpoints.load_and_save import load_with_report
from kbert.checkpoints.stored_backbone import stored_backbone
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier
from kbert.text.vocabulary import Vocabulary

KINDS = {
    "backbone": lambda backbone: backbone,
    "pretrainer": BertPretrainer,
    "text_classifier": lambda b: BertTextClassifier(b, 3, dropout=0.3),
    "token_classifier": lambda b: BertTokenClassifier(b, 4, dropout=0.2),
    "question_answerer": BertQuestionAnswerer,
}
INPUTS = {
    "token_ids": np.array([[2, 5, 6, 3, 0], [2, 5, 3, 7, 3]]),
    "segment_ids": np.array([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]),
    "padding_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]),
}


def made(kind="text_classifier", dtype=None):
    backbone = BertBackbone(
        8, 2, 2, 16, 24, activation="silu", max_sequence_length=12, dtype=dtype
    )
    model = KINDS[kind](backbone)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_exact(tmp_path, kind):
    model = made(kind)
    path = write_keras(model, tmp_path / "model.keras")
    assert is_keras_file(path)
    back = read_keras(path)
    assert type(back) is type(model)
    assert back.get_config() == model.get_config()
    assert len(back.weights) == len(model.weights)
    for a, b in zip(model.weights, back.weights, strict=True):
        assert np.array_equal(np.array(a), np.array(b)), a.path
    inputs = dict(INPUTS)
    if kind == "pretrainer":
        inputs["mask_positions"] = np.array([[1, 2], [3, 0]])
        table = back.backbone.embeddings.token_embedding
        assert back.masked_lm_head.token_embedding is table
    for a, b in zip(
        keras.tree.flatten(model(inputs)),
        keras.tree.flatten(back(inputs)),
        strict=True,
    ):
        assert np.array_equal(np.array(a), np.array(b))
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_the_dtype_policy_comes_back_and_the_optimizer_does_not(tmp_path):
    model = made(dtype="mixed_bfloat16")
    model.compile("adam", "mse")
    back = read_keras(write_keras(model, tmp_path / "model.keras"))
    assert back.backbone.policy.name == "mixed_bfloat16"
    assert not back.compiled


def test_writing_refuses_what_is_there_and_what_is_not_ours(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "model.keras"
    write_keras(made(), path)
    whole = path.read_bytes()
    with pytest.raises(FileExistsError, match="Expected a file that does not exist"):
        write_keras(made(), path)
    with pytest.raises(ValueError, match="a name that ends in .keras; got model.h5"):
        write_keras(made(), tmp_path / "model.h5")
    with pytest.raises(ValueError, match="Expected a BertBackbone, .*; got Sequential"):
        write_keras(keras.Sequential(), tmp_path / "other.keras")

    def fails(model, aside):
        aside.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.saving, "save_model", fails)
    with pytest.raises(OSError, match="No space left"):
        write_keras(made(), path, overwrite=True)
    assert path.read_bytes() == whole
    assert [p.name for p in path.parent.iterdir()] == ["model.keras"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_keras(made(), tmp_path_factory.mktemp("keras") / "model.keras")


def test_files_that_are_not_whole_are_refused(written, tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_keras(path)
    whole = written.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ValueError, match="is a zip archive; .* truncated or damaged"):
        read_keras(path)
    middle = len(whole) // 2
    wrong = bytes(255 - byte for byte in whole[middle : middle + 64])
    path.write_bytes(whole[:middle] + wrong + whole[middle + 64 :])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_keras(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="Expected a .keras file"):
        read_keras(path)


def rewritten(source, target, change):
    """A copy of a `.keras` file with another config.json."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(name, data)
    return target


def test_other_models_are_refused(written, tmp_path):
    inputs = keras.Input((2,))
    other = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="of one of kbert>BertBackbone.* is of Funct"):
        read_keras(tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "archive.keras", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ValueError, match="config.json and model.weights.h5 in .* anot"):
        read_keras(tmp_path / "archive.keras")

    def without_classes(config):
        del config["config"]["num_classes"]
        return config

    path = rewritten(written, tmp_path / "changed.keras", without_classes)
    with pytest.raises(ValueError, match="of this version of kbert in"):
        read_keras(path)

    def smaller(config):
        config["config"]["backbone"]["config"]["intermediate_dim"] = 12
        return config

    path = rewritten(written, tmp_path / "smaller.keras", smaller)
    with pytest.raises(ValueError, match="of this version of kbert in"):
        read_keras(path)

    path = rewritten(written, tmp_path / "list.keras", lambda config: [])
    with pytest.raises(ValueError, match="it is of None"):
        read_keras(path)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_of_a_quantized_model(tmp_path):
    model = made("token_classifier")
    model.quantize("int8")
    path = write_keras(model, tmp_path / "model.keras")
    back, report = load_with_report(path)
    for a, b in zip(model.weights, back.weights, strict=True):
        assert np.array_equal(np.array(a), np.array(b)), a.path
    assert "encoder_block_1/intermediate/kernel" in report.filled
    assert not any("scale" in name for name in report.filled)
    # What a training begins with has to be numbers.
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    with pytest.raises(ValueError, match="that can be trained in .*model.keras"):
        stored_backbone(path, Vocabulary(tokens))
