"""A SavedModel takes strings, in a process that never imports kbert."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

import kbert
from kbert.commands.export import export_saved_model
from kbert.disk.provenance import sha256
from kbert.signatures import served_name
from kbert.tasks.classification.text_classification import TextClassification

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "좋", "##다", "나쁘", "영화"]
LOAD = """
import json, sys
import tensorflow as tf
import tensorflow_text

model, found = tf.saved_model.load(sys.argv[1]), []
for signature, inputs in json.loads(sys.argv[2]):
    inputs = {name: tf.constant(texts) for name, texts in inputs.items()}
    answers = model.signatures[signature](**inputs)
    answers = {name: x.numpy() for name, x in answers.items()}
    answers["label"] = answers["label"].astype("str")
    answers["labels"] = answers["labels"].astype("str")
    found.append({name: x.tolist() for name, x in answers.items()})
assert not [name for name in sys.modules if name.split(".")[0] == "kbert"]
print(json.dumps(found))
"""


def model_directory(path, text_columns):
    backbone = kbert.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=12,
        initializer_range=0.5,
    )
    task = TextClassification(("neg", "neutral", "pos"), text_columns, "label", 12)
    classifier = kbert.BertTextClassifier(backbone, 3)
    tokenizer = kbert.BertTokenizer(TOKENS)
    return kbert.save(classifier, path, tokenizer, task.to_config())


def served(version, tmp_path, *calls):
    """The answers to (signature, inputs), all given by one process."""
    command = [sys.executable, "-c", LOAD, str(version), json.dumps(calls)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("columns", [("text",), ("premise", "hypothesis")])
def test_served_equals_predict(tmp_path, columns):
    directory = model_directory(tmp_path / "model", columns)
    version = export_saved_model(str(directory), str(tmp_path / "served"))
    assert version == tmp_path / "served" / "model" / "1"

    texts = ["좋다 영화", "", "나쁘 " * 40]  # one is empty, one longer than the model
    seconds = ["영화", "좋다", "나쁘"]
    file = tmp_path / "in.tsv"
    rows = [
        "\t".join(row) for row in (zip(texts, seconds) if columns[1:] else zip(texts))
    ]
    file.write_text(
        "\n".join(["\t".join(columns), *(r or '""' for r in rows)]), "utf-8"
    )
    inputs = {"text": texts} | ({"text_b": seconds} if columns[1:] else {})
    first_alone = {name: values[:1] for name, values in inputs.items()}
    answers, alone = served(
        version, tmp_path, ("serving_default", inputs), ("classify", first_alone)
    )

    assert np.shape(answers["scores"]) == (3, 3)
    np.testing.assert_allclose(np.sum(answers["scores"], axis=1), 1, atol=1e-6)
    if columns[1:]:
        expected = list(kbert.predict(str(directory), str(file)))
        assert answers["label"] == [row["label"] for row in expected]
        np.testing.assert_allclose(
            answers["scores"], [list(r["scores"].values()) for r in expected], atol=1e-6
        )
        np.testing.assert_allclose(
            answers["score"], [row["score"] for row in expected], atol=1e-6
        )
    np.testing.assert_allclose(answers["scores"][0], alone["scores"][0], atol=1e-6)


def test_next_free_version(tmp_path):
    directory = model_directory(tmp_path / "model", ("text",))
    (tmp_path / "served" / "name" / "7").mkdir(parents=True)
    version = export_saved_model(str(directory), str(tmp_path / "served"), "name")
    assert version.name == "8"
    left = {path.name for path in version.parent.iterdir()}
    assert left == {"7", "8"}  # nothing half-written


def test_what_a_model_says_of_itself(tmp_path):
    directory = model_directory(tmp_path / "model", ("premise", "hypothesis"))
    run = {
        "dev": {"accuracy": 0.5},
        "data": {"train": {"source": "/home/somebody/train.tsv", "num_examples": 3}},
    }
    (directory / "run.json").write_text(json.dumps(run), "utf-8")
    version = export_saved_model(str(directory), str(tmp_path), "판정-1.0")
    assert version == tmp_path / "판정-1.0" / "1"
    card = json.loads((version / "assets" / "model_card.json").read_text("utf-8"))
    assert card["name"] == "판정-1.0"
    assert card["task"] == "text_classification"
    assert card["labels"] == ["neg", "neutral", "pos"]
    assert card["default_signature"] == "classify"
    assert list(card["signatures"]) == ["classify", "embed", "tokenize", "attention"]
    assert list(card["signatures"]["classify"]["inputs"]) == ["text", "text_b"]
    assert card["metrics"] == {"accuracy": 0.5}
    assert card["data"]["train"] == {"source": "train.tsv", "num_examples": 3}
    assert card["weights_sha256"] == sha256(directory / "model.safetensors")
    assert (card["num_layers"], card["num_heads"], card["hidden_dim"]) == (2, 2, 16)


def test_a_name_is_no_path(tmp_path):
    directory = model_directory(tmp_path / "model", ("text",))
    with pytest.raises(ValueError, match="Expected a name of letters, digits"):
        export_saved_model(str(directory), str(tmp_path / "served"), "../up")
    assert not (tmp_path / "served").exists()
    for name in ("a/b", ".hidden", "", " x", "-x", "a\n", ".."):
        with pytest.raises(ValueError, match="Choose one with --name"):
            served_name(name)


def test_a_head_that_was_never_trained_is_refused(tmp_path):
    directory = model_directory(tmp_path / "model", ("text",))
    weights = safetensors.numpy.load_file(directory / "model.safetensors")
    del weights["classifier.weight"], weights["classifier.bias"]
    safetensors.numpy.save_file(weights, directory / "model.safetensors")
    with (
        pytest.warns(UserWarning, match="no weights for classifier"),
        pytest.raises(ValueError, match="Expected the trained head of a text_class"),
    ):
        export_saved_model(str(directory), str(tmp_path / "served"))
    assert not (tmp_path / "served").exists()


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    directory = model_directory(tmp_path / "model", ("text",))

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="make room"):
        export_saved_model(str(directory), str(tmp_path / "served"), "name")
    assert list((tmp_path / "served" / "name").iterdir()) == []
