"""Batches of like length, and outputs back in the order of the rows."""

import types

import keras
import numpy as np
import pytest
import small_models

import kbert
from kbert.tasks.answerer import Answerer, answer, bucketed_dataset, portions, traced
from kbert.tasks.rows.packed_rows import PackedRows


class Echo:
    """A task whose answers are its outputs; row i holds [i, 1, 2, … lengths[i]]."""

    def __init__(self, outputs_per, lengths):
        self.outputs_per = outputs_per
        ids = [np.array([i, *range(1, n)]) for i, n in enumerate(lengths)]
        ids = np.concatenate(ids).astype("int32")
        starts = np.cumsum([0, *lengths])
        self.rows = PackedRows(ids, np.zeros_like(ids), starts, 0, 64)

    def pack(self, examples, tokenizer):
        return types.SimpleNamespace(rows=self.rows)

    def batch(self, packed, rows):
        return packed.rows.batch(rows), rows.astype("int32"), np.ones(len(rows))

    def decode(self, outputs, packed):
        return outputs

    def num_characters(self, example):
        return example


class FirstAndAll:
    """Two outputs as of a model: each token's id, and the row's first id."""

    def __init__(self, per_token):
        self.per_token = per_token

    def __call__(self, inputs, training):
        ids = keras.ops.cast(inputs["token_ids"], "float32")
        return {"a": ids, "b": -ids} if self.per_token else ids[:, 0]


LENGTHS = [9, 3, 30, 4, 3, 17, 2]


def test_token_outputs_come_back_in_order_and_without_padding():
    task = Echo("token", LENGTHS)
    outputs = Answerer(FirstAndAll(True), task, None, 40).decode(task.pack([], None))
    assert outputs["a"].tolist() == task.rows.token_ids.tolist()
    assert outputs["b"].tolist() == (-task.rows.token_ids).tolist()


def test_row_outputs_come_back_in_order():
    task = Echo("row", LENGTHS)
    outputs = Answerer(FirstAndAll(False), task, None, 40).decode(task.pack([], None))
    assert outputs.tolist() == list(range(7))


def test_a_stream_is_answered_in_portions(monkeypatch):
    monkeypatch.setattr("kbert.tasks.answerer._FIRST_PORTION", 7)
    monkeypatch.setattr("kbert.tasks.answerer._LAST_PORTION", 7)
    task = Echo("row", LENGTHS)
    answers = Answerer(FirstAndAll(False), task, None, 40).answers(iter(range(14)))
    assert list(answers) == [*range(7), *range(7)]


def test_portions_grow_and_hold_a_bounded_text():
    task = Echo("row", LENGTHS)
    sizes = [len(portion) for portion in portions([1] * 30_000, task)]
    assert sizes == [64 << i for i in range(8)] + [8192, 30_000 - 16_320 - 8192]
    long = [1, 2_000_000, 900_000, 900_000, 900_000, 5]
    assert [*portions(iter(long), task)] == [long[:2], long[2:5], long[5:]]
    assert list(portions([], task)) == []


def test_a_budget_of_nothing():
    with pytest.raises(ValueError, match="token_budget must be at least 1; got 0"):
        answer(FirstAndAll(False), Echo("row", LENGTHS), None, [1], token_budget=0)


def test_every_row_is_trained_on_and_batches_are_as_long_as_their_rows():
    task = Echo("row", LENGTHS * 10)
    dataset = bucketed_dataset(task, task.pack([], None), 8, epochs=2, seed=1)
    batches = list(dataset.as_numpy_iterator())
    assert len(batches) == len(dataset) == 2 * 9  # 70 rows: 9 batches of 8
    for epoch in (batches[:9], batches[9:]):
        assert set(np.concatenate([rows for _, rows, _ in epoch])) == set(range(70))
    padded = sum(inputs["token_ids"].size for inputs, _, _ in batches[:9])
    assert padded < 0.7 * 9 * 8 * 32  # what padding all to the longest would take
    again = bucketed_dataset(task, task.pack([], None), 8, epochs=2, seed=1)
    for (_, one, _), (_, two, _) in zip(batches, again.as_numpy_iterator()):
        assert one.tolist() == two.tolist()


def test_a_directory_answers_in_one_line(tmp_path):
    directory = small_models.classifier(tmp_path / "classifier")
    answerer = kbert.load_answerer(str(directory))
    (answer,) = answerer(["영화가 좋다"])
    assert answer["label"] in small_models.LABELS
    with pytest.raises(ValueError, match="Expected a list of texts; got the string"):
        answerer("영화가 좋다")
    with pytest.raises(ValueError, match="Expected one text; example 2 has 2"):
        answerer(["영화", ("영화", "좋다")])
    with pytest.raises(ValueError, match="a tuple of strings, .* example 1 is 7"):
        answerer([7])


@pytest.mark.parametrize(
    "kind, texts",
    [
        ("pair_classifier", [("영화", "좋다")]),
        ("several_labels", ["영화 좋다"]),
        ("regression", [("영화", "좋다")]),
        ("tagger", ["영화 좋다", ""]),
        ("question_answerer", [("영화", "the movie 좋다.")]),
    ],
)
def test_every_kind_answers(kind, texts, tmp_path):
    directory = small_models.KINDS[kind](tmp_path / kind)
    answerer = kbert.load_answerer(str(directory))
    task = answerer.task
    lines = [text if isinstance(text, str) else "\t".join(text) for text in texts]
    examples = [task.typed(line, number) for number, line in enumerate(lines, 1)]
    assert answerer(texts) == list(answerer.answers(examples))
    wrong = [("영화", "좋다", "a")]
    with pytest.raises(ValueError, match=r"example 1"):
        answerer(wrong)


def test_a_model_is_traced_once_and_again_when_it_has_changed(tmp_path):
    directory = small_models.classifier(tmp_path / "classifier")
    model, tokenizer = kbert.load(directory), kbert.load_tokenizer(directory)
    task = kbert.load_answerer(str(directory)).task
    examples = [task.example(("영화가 좋다",), 1)]
    before = answer(model, task, tokenizer, examples)
    function = traced(model)
    scores = [a["score"] for a in answer(model, task, tokenizer, examples * 3)]
    assert scores == pytest.approx([before[0]["score"]] * 3, abs=1e-6)
    assert traced(model) is function
    assert function.experimental_get_tracing_count() == 1
    model.backbone.enable_lora(2)
    for dense in model.backbone.dense_layers:
        dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    (after,) = answer(model, task, tokenizer, examples)
    assert abs(after["score"] - before[0]["score"]) > 1e-3
    assert traced(model) is not function
