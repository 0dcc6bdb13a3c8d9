"""Labels, several labels and numbers in the graph equal `kbert.predict`."""

from pathlib import Path

import numpy as np
import pytest
import small_models
import tensorflow as tf

import kbert
from kbert.checkpoints.huggingface.directory import read_config
from kbert.export.servable import Servable
from kbert.export.served_model import ServedModel
from kbert.registry import task_from_config
from kbert.tasks.answerer import answer
from kbert.tasks.classification.text_examples import TextExample

TEXTS = ("영화가 좋다", "", "the movie " * 100, "좋다!")
SECONDS = ("좋다", "영화", "영화", "")

NAMED = ("name", Path("directory"))  # of a servable


def loaded(make, path):
    directory = make(path)
    task = task_from_config(read_config(directory))
    return kbert.load(directory), kbert.load_tokenizer(directory), task


def served(parts, columns):
    model, tokenizer, task = parts
    function = ServedModel(Servable(*NAMED, model, tokenizer, task)).functions()[
        "serving_default"
    ]
    texts = (TEXTS, SECONDS)[:columns]
    examples = [TextExample(row) for row in zip(*texts)]
    outputs = function(*map(tf.constant, texts))
    return {k: v.numpy() for k, v in outputs.items()}, answer(
        model, task, tokenizer, examples
    )


@pytest.mark.parametrize(
    ("name", "columns"), [("classifier", 1), ("pair_classifier", 2)]
)
def test_one_label(tmp_path, name, columns):
    parts = loaded(getattr(small_models, name), tmp_path / "m")
    outputs, expected = served(parts, columns)
    assert [label.decode() for label in outputs["label"]] == [
        row["label"] for row in expected
    ]
    for i, row in enumerate(expected):
        labels = [label.decode() for label in outputs["labels"][i]]
        assert labels == list(row["scores"])
        np.testing.assert_allclose(
            outputs["scores"][i], list(row["scores"].values()), atol=1e-6
        )
        assert outputs["score"][i] == outputs["scores"][i].max()
    assert outputs["truncated"].tolist() == [False, False, True, False]


def test_several_labels(tmp_path):
    outputs, expected = served(loaded(small_models.several_labels, tmp_path / "m"), 1)
    for i, row in enumerate(expected):
        labels = [label.decode() for label in outputs["labels"][i]]
        chosen = [
            x for x, is_chosen in zip(labels, outputs["is_chosen"][i]) if is_chosen
        ]
        assert chosen == row["labels"]
        np.testing.assert_allclose(
            outputs["scores"][i], list(row["scores"].values()), atol=1e-6
        )
        best = max(row["scores"], key=row["scores"].get)
        assert outputs["label"][i].decode() == best


def test_a_number(tmp_path):
    parts = loaded(small_models.regression, tmp_path / "m")
    outputs, expected = served(parts, len(parts[2].text_columns))
    np.testing.assert_allclose(
        outputs["score"], [row["score"] for row in expected], atol=1e-5
    )
    assert set(outputs) == {"score", "truncated"}


def test_more_rows_than_fit_in_one_turn(tmp_path):
    model, tokenizer, task = loaded(small_models.classifier, tmp_path / "m")
    function = ServedModel(Servable(*NAMED, model, tokenizer, task)).functions()[
        "classify"
    ]
    many = function(tf.constant(TEXTS * 50))["scores"].numpy()
    few = function(tf.constant(TEXTS))["scores"].numpy()
    np.testing.assert_allclose(many, np.tile(few, (50, 1)), atol=1e-6)
    assert function(tf.constant([], tf.string))["scores"].shape == (0, len(task.labels))


def test_declared_is_what_comes_out(tmp_path):
    """Names, types and axes of `signatures.py`, for all of a pair's functions."""
    model, tokenizer, task = loaded(small_models.pair_classifier, tmp_path / "m")
    module = ServedModel(Servable(*NAMED, model, tokenizer, task))
    assert list(module.declared) == ["classify", "embed", "tokenize", "attention"]
    for name, function in module.functions().items():
        signature = module.declared.get(name, module.declared["classify"])
        concrete = function.get_concrete_function()
        outputs = concrete.structured_outputs
        assert set(outputs) == {tensor.name for tensor in signature.outputs}
        for tensor in signature.outputs:
            assert outputs[tensor.name].dtype.name == tensor.dtype
            assert outputs[tensor.name].shape.rank == len(tensor.shape)
        inputs = concrete.structured_input_signature[0]
        assert [spec.name for spec in inputs] == [t.name for t in signature.inputs]
