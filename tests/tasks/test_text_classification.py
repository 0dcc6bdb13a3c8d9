"""What a classifier's directory knows: labels, columns, and the errors of a file."""

import numpy as np
import pytest

from kbert.tasks.text_classification import TextClassification


def write(path, text):
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def train(tmp_path):
    text = "document\tlabel\n좋다\t긍정\n싫다\t부정\n좋아\t긍정\n"
    return write(tmp_path / "train.tsv", text)


@pytest.fixture
def task(train):
    return TextClassification.learn(train, ["document"], "label", 32)


def test_labels_are_learned_sorted(task):
    assert task.labels == ("긍정", "부정")
    assert task.text_columns == ("document",)


def test_config_round_trip(task):
    config = task.to_config()
    assert config["id2label"] == {"0": "긍정", "1": "부정"}
    assert config["label2id"] == {"긍정": 0, "부정": 1}
    stored = config | {"architectures": ["BertForSequenceClassification"]}
    assert TextClassification.from_config(stored) == task


def test_more_than_ten_labels_keep_their_order():
    names = {str(i): f"label {i}" for i in range(12)}
    config = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": dict(sorted(names.items())),
    }
    task = TextClassification.from_config(config)
    assert task.labels == tuple(f"label {i}" for i in range(12))
    assert (task.text_columns, task.label_column) == (("text",), "label")


def test_examples(task, train):
    texts, answers = task.read_examples(train)
    assert texts == [["좋다", "싫다", "좋아"]]
    assert answers == [0, 1, 0]


def test_answers(task):
    (answer,) = task.answers(np.array([[0.25, 0.75]], "float32"))
    assert answer == {
        "label": "부정",
        "score": 0.75,
        "scores": {"긍정": 0.25, "부정": 0.75},
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("document\tlabel\na\t1\nb\t1\n", "two different labels.*holds only '1'"),
        ("document\tlabel\na\t1\nb\t\n", "Expected a label in the column label; row 2"),
        ("document\tanswer\na\t1\n", "row 1 has document, answer, no label"),
        ("", "Expected a header and rows of text"),
    ],
)
def test_a_training_file_that_is_of_no_use(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        TextClassification.learn(
            write(tmp_path / "a.tsv", text), ["document"], "label", 32
        )


@pytest.mark.parametrize("columns", [[], ["a", "b", "c"]])
def test_one_or_two_text_columns(train, columns):
    with pytest.raises(ValueError, match=f"two for pairs; got {len(columns)}"):
        TextClassification.learn(train, columns, "label", 32)


def test_an_unseen_label_is_named(task, tmp_path):
    file = write(tmp_path / "dev.tsv", "document\tlabel\na\t긍정\nb\t중립\n")
    with pytest.raises(ValueError, match="row 2 of .*dev.tsv says '중립'"):
        task.read_examples(file)


def test_not_a_classifier():
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining"):
        TextClassification.from_config({"architectures": ["BertForPreTraining"]})
