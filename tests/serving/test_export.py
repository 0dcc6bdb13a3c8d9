"""A SavedModel takes strings, in a process that never imports kbert."""

import json
import subprocess
import sys

import numpy as np
import pytest

import kbert
from kbert.serving.export import export_saved_model
from kbert.tasks.text_classification import TextClassification

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "좋", "##다", "나쁘", "영화"]
LOAD = """
import json, sys
import tensorflow as tf
import tensorflow_text

served = tf.saved_model.load(sys.argv[1]).signatures[sys.argv[2]]
inputs = {name: tf.constant(texts) for name, texts in json.loads(sys.argv[3]).items()}
answers = {name: x.numpy() for name, x in served(**inputs).items()}
assert not [name for name in sys.modules if name.split(".")[0] == "kbert"]
answers["label"] = [label.decode() for label in answers["label"]]
print(json.dumps({k: [list(map(float, r)) if k == "scores" else r if k == "label"
                      else float(r) for r in v] for k, v in answers.items()}))
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


def served(version, tmp_path, signature="serving_default", **texts):
    command = [sys.executable, "-c", LOAD, str(version), signature, json.dumps(texts)]
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
    answers = served(version, tmp_path, **inputs)

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
    else:
        alone = served(version, tmp_path, "classify", text=texts[:1])
        np.testing.assert_allclose(answers["scores"][0], alone["scores"][0], atol=1e-6)


def test_next_free_version(tmp_path):
    directory = model_directory(tmp_path / "model", ("text",))
    (tmp_path / "served" / "name" / "7").mkdir(parents=True)
    version = export_saved_model(str(directory), str(tmp_path / "served"), "name")
    assert version.name == "8"
    left = {path.name for path in version.parent.iterdir()}
    assert left == {"7", "8"}  # nothing half-written


def test_a_model_without_answers_is_refused(tmp_path):
    backbone = kbert.BertBackbone(
        vocabulary_size=9,
        num_layers=1,
        num_heads=1,
        hidden_dim=8,
        intermediate_dim=8,
        max_sequence_length=8,
    )
    directory = kbert.save(backbone, tmp_path / "m", kbert.BertTokenizer(TOKENS))
    with pytest.raises(
        ValueError, match=r"text classifier; this one holds a BertModel"
    ):
        export_saved_model(str(directory), str(tmp_path / "served"))
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    "problem", ["regression", "multi_label_classification"], ids=str
)
def test_what_is_not_served_yet_is_told(tmp_path, problem):
    directory = model_directory(tmp_path / "model", ("text",))
    config = json.loads((directory / "config.json").read_text("utf-8"))
    config |= {"problem_type": problem, "id2label": {"0": "score"}}
    del config["kbert"]["metric"]
    (directory / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match=f"is for {problem}. kbert predict answers"):
        export_saved_model(str(directory), str(tmp_path / "served"))
    assert not (tmp_path / "served").exists()
