"""Tasks by name, and from a model's config."""

import pytest

from kbert.registry import TASKS, new_task, task_from_config
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.tagging.token_classification import TokenClassification


@pytest.mark.parametrize("name", TASKS)
def test_each_name_makes_a_task(name):
    task = new_task(name, sequence_length=48, encoding=None)
    assert (task.sequence_length, task.encoding) == (48, "utf-8")
    assert task.outputs_per in ("row", "token")


def test_what_a_task_does_not_have():
    with pytest.raises(ValueError, match="Expected no --class-weights for tagging"):
        new_task("tagging", class_weights=("balanced",))
    with pytest.raises(ValueError, match=r"Expected a task out of .*; got 'tag'"):
        new_task("tag")


def test_from_a_config_of_ours():
    task = new_task("classification", sequence_length=48)
    config = task.to_config() | {"architectures": ["BertForSequenceClassification"]}
    config |= {"id2label": {"0": "a", "1": "b"}}
    found = task_from_config(config, encoding="cp949")
    assert found.labels == ("a", "b")
    assert (found.sequence_length, found.encoding) == (48, "cp949")


@pytest.mark.parametrize(
    "architecture, task_class",
    [
        ("BertForSequenceClassification", TextClassification),
        ("BertForTokenClassification", TokenClassification),
        ("BertForQuestionAnswering", QuestionAnswering),
    ],
)
def test_from_a_foreign_config(architecture, task_class):
    config = {"architectures": [architecture], "id2label": {"0": "O", "1": "B-PER"}}
    assert isinstance(task_from_config(config), task_class)


def test_no_head_of_these_tasks():
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining. Make"):
        task_from_config({"architectures": ["BertForPreTraining"]})
