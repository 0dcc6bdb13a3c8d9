"""Whatever a path holds: the right reader, or a list of what was looked for."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.checkpoints.formats import FORMATS, find_checkpoint
from kbert.checkpoints.load_and_save import (
    load,
    load_backbone,
    load_with_report,
    save,
)
from kbert.models.backbone import BertBackbone
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

DATA = Path(__file__).parents[1] / "data"


def made():
    backbone = BertBackbone(8, 2, 2, 16, 24, max_sequence_length=12)
    return BertTextClassifier(backbone, 3, dropout=0.3)


def assert_same(model, other):
    assert type(model) is type(other)
    for a, b in zip(model.weights, other.weights, strict=True):
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        assert np.array_equal(a, b)


def test_hugging_face():
    checkpoint = find_checkpoint(DATA / "core_golden_pretrainer")
    assert (checkpoint.format, checkpoint.head) == ("Hugging Face", "pretrainer")


def test_nothing_known_is_there(tmp_path):
    with pytest.raises(
        ValueError, match=r"formats; in .* there is nothing\. Looked"
    ) as e:
        load(tmp_path)
    for what in FORMATS.values():
        assert what in str(e.value)
    assert "or a file saved as .keras" in str(e.value)
    for i in range(12):
        (tmp_path / f"{i:02}.txt").touch()
    message = r"there is 00\.txt, .*, 07\.txt, …\. Looked for: Hugging Face \(config"
    with pytest.raises(ValueError, match=message):
        find_checkpoint(tmp_path)


def test_nothing_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="formats; .*absent is not there"):
        find_checkpoint(tmp_path / "absent")


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "model.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"model\.txt is a file\. Looked for"):
        load(tmp_path / "model.txt")


def test_weights_without_settings(tmp_path):
    save(made(), tmp_path / "model")
    (tmp_path / "model" / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"directory with config\.json"):
        find_checkpoint(tmp_path / "model")


def test_settings_without_weights(tmp_path):
    save(made(), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"Expected weights in .*model\.safet"):
        find_checkpoint(tmp_path / "model")


def test_a_keras_file(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    loaded, report = load_with_report(tmp_path / "model.keras")
    assert_same(model, loaded)
    assert loaded.dropout == 0.3
    assert (report.format, report.head) == ("Keras", "text_classifier")
    assert report.newly_initialised == ()
    assert "classifier/bias" in report.filled
    assert_same(model.backbone, load_backbone(tmp_path / "model.keras"))
    with pytest.raises(ValueError, match="Expected no dtype for .* has its own"):
        load(tmp_path / "model.keras", "bfloat16")


@pytest.mark.parametrize(
    "made_of",
    [lambda b: BertTokenClassifier(b, 3), BertQuestionAnswerer],
)
def test_a_keras_file_of_a_model_without_pooler(tmp_path, made_of):
    model = made_of(BertBackbone(8, 2, 2, 16, 24, max_sequence_length=12))
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert_same(model, loaded)
    assert_same(model.backbone, loaded.backbone)


def test_from_one_format_to_another(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    save(load(tmp_path / "model.keras"), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert_same(model, load(tmp_path / "model"))
