"""Tasks by name, and from a model's config."""

import importlib
import re
import subprocess
import sys
from importlib import resources

import pytest
import small_models

from kbert.checkpoints.weight_maps import HUGGINGFACE_HEADS
from kbert.features import BACKBONE_INPUTS
from kbert.models.text_classifier import BertTextClassifier
from kbert.registry import (
    KINDS,
    TASKS,
    kind_of,
    kind_of_task,
    loaded,
    new_task,
    task_from_config,
)
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.tagging.token_classification import TokenClassification

PAGE = resources.files("kbert.server").joinpath("page", "page.js").read_text("utf-8")
DRAWN = re.findall(r"(\w+): draw", PAGE.partition("const DRAW")[2])


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


def test_columns_by_one_name_for_all():
    columns = {"text_columns": ("1",), "label_column": "3"}
    tagging = new_task("tagging", **columns)
    assert (tagging.word_column, tagging.tag_column) == ("1", "3")
    classification = new_task("classification", **columns)
    assert classification.text_columns == ("1",)
    assert classification.label_column == "3"
    with pytest.raises(
        ValueError, match="Expected no --text-column, --label-column for question"
    ):
        new_task("question-answering", **columns)


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


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_row_names_what_is_there(kind):
    """Classes, modules, weight tables, signatures: what a row says exists."""
    assert loaded(kind.model).__name__ == kind.model_name
    assert set(kind.words) == {"en", "ko"}
    assert all(name.startswith("Bert") for name in kind.architectures)
    assert [f.name for f in kind.inputs[:3]] == [f.name for f in BACKBONE_INPUTS]
    assert kind.head in HUGGINGFACE_HEADS
    if kind.task_class:
        task_class = loaded(kind.task_class)
        assert {p for p in kind.reports if p} == {
            fixed["problem_type"] for fixed in kind.commands.values() if fixed
        }
        for place in kind.reports.values():
            module = importlib.import_module(place)
            assert module.TITLE and callable(module.sections)
        assert kind_of_task(task_class()) is kind
    assert bool(kind.commands) == bool(kind.task_class) == bool(kind.reports)
    if kind.served:
        assert callable(loaded(kind.served).of)
    assert bool(kind.page) and all(words.draws in DRAWN for words in kind.page.values())


def test_a_model_and_its_row():
    backbone = small_models.backbone()
    assert kind_of(backbone).head == "backbone"
    classifier = BertTextClassifier(backbone, 2)

    class Own(BertTextClassifier):
        pass

    assert kind_of(classifier) is kind_of(Own(backbone, 2)) is KINDS["text_classifier"]
    with pytest.raises(ValueError, match="Expected a BertBackbone, .*; got int"):
        kind_of(7)
    with pytest.raises(ValueError, match="Expected a task out of Text.*; got a int"):
        kind_of_task(7)


def test_names_are_one_to_one():
    for names in (
        [kind.task for kind in KINDS.values()],
        [name for kind in KINDS.values() for name in kind.commands],
        [name for kind in KINDS.values() for name in kind.architectures],
        [name for kind in KINDS.values() for name in kind.kerashub_classes],
        [name for kind in KINDS.values() for name in kind.page],
    ):
        assert len(names) == len(set(names))


def test_the_table_starts_no_framework():
    code = "import sys, kbert.registry; print({'keras', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n"
