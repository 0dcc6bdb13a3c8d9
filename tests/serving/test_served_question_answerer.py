"""Answers in the graph equal those of the task's own `decode`."""

import dataclasses
import random

import numpy as np
import pytest
import tensorflow as tf

import kbert
from kbert.serving.served_question_answerer import ServedQuestionAnswerer
from kbert.tasks.inference import answer
from kbert.tasks.squad_files import Question

TOKENS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"가나다라마abcd",
    "##가",
    "##b",
]
TASK = kbert.QuestionAnswering(
    sequence_length=24, stride=4, max_question_length=5, max_answer_length=6, n_best=5
)
SPEC = tf.TensorSpec((None,), tf.string)


@pytest.fixture(scope="module")
def parts():
    backbone = kbert.BertBackbone(
        vocabulary_size=len(TOKENS),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=32,
        initializer_range=0.7,
    )
    return kbert.BertQuestionAnswerer(backbone), kbert.BertTokenizer(TOKENS)


def served(parts, task):
    model, tokenizer = parts
    module = ServedQuestionAnswerer(
        lambda inputs: model(inputs, training=False), tokenizer, task
    )
    return tf.function(module.answer, input_signature=[SPEC, SPEC], autograph=False)


def questions(seed, count=12):
    """Short and long contexts out of few words, so that answers come again."""
    generator = random.Random(seed)
    words = ["가", "나다", "a", "가가", "bb", " b", "라.", "\u3000마", "c\u0301", "😀"]
    rows = []
    for i in range(count):
        length = generator.choice([0, 1, 3, 10, 40])
        context = " ".join(generator.choices(words, k=length))
        question = " ".join(generator.choices("가나ab", k=generator.randint(1, 12)))
        rows.append(Question(str(i), question, context))
    return rows


def compare(outputs, expected):
    outputs = {name: x.numpy() for name, x in outputs.items()}
    for i, row in enumerate(expected):
        count = outputs["num_answers"][i]
        assert count == len(row["n_best"])
        texts = [text.decode() for text in outputs["n_best_answers"][i]]
        assert texts[:count] == [entry["text"] for entry in row["n_best"]]
        assert set(texts[count:]) <= {""}
        for name in ("start", "end"):
            places = [-1 if e[name] is None else e[name] for e in row["n_best"]]
            assert outputs[f"n_best_{name}s"][i, :count].tolist() == places
            assert outputs[name][i] == (-1 if row[name] is None else row[name])
        shares = [entry["probability"] for entry in row["n_best"]]
        scores = outputs["n_best_scores"][i]
        np.testing.assert_allclose(scores[:count], shares, atol=1e-5)
        assert not scores[count:].any()
        assert outputs["answer"][i].decode() == row["answer"]
        np.testing.assert_allclose(outputs["score"][i], row["score"], atol=1e-5)
        none = sum(e["probability"] for e in row["n_best"] if not e["text"])
        np.testing.assert_allclose(outputs["no_answer_probability"][i], none, atol=1e-5)
    assert outputs["n_best_scores"].shape[1] == outputs["num_answers"].max()


@pytest.mark.parametrize("has_no_answer", [False, True])
@pytest.mark.parametrize(("n_best", "stride"), [(1, None), (5, 4), (20, 4)])
def test_equals_decode(parts, has_no_answer, n_best, stride):
    task = dataclasses.replace(
        TASK, has_no_answer=has_no_answer, n_best=n_best, stride=stride
    )
    function = served(parts, task)
    for seed in range(3):
        rows = questions(seed)
        outputs = function([q.question for q in rows], [q.context for q in rows])
        with pytest.warns(UserWarning, match="were cut"):
            expected = answer(parts[0], task, parts[1], rows)
        compare(outputs, expected)
        cut = [len(parts[1]([q.question])[0]) > 5 for q in rows]
        assert outputs["truncated"].numpy().tolist() == cut


@pytest.mark.parametrize("threshold", [-5.0, 5.0])
def test_threshold_decides(parts, threshold):
    task = dataclasses.replace(TASK, has_no_answer=True, null_threshold=threshold)
    rows = [q for q in questions(7) if len(q.question) < 10]
    outputs = served(parts, task)([q.question for q in rows], [q.context for q in rows])
    compare(outputs, answer(parts[0], task, parts[1], rows))


@pytest.mark.parametrize("has_no_answer", [False, True])
def test_ties_stand_in_order(parts, has_no_answer):
    """All logits equal: windows, starts and ends decide, as in a stable sort."""
    task = dataclasses.replace(TASK, has_no_answer=has_no_answer)

    def flat(inputs):
        zeros = tf.zeros(tf.shape(inputs["token_ids"]))
        return {"start_logits": zeros, "end_logits": zeros}

    module = ServedQuestionAnswerer(flat, parts[1], task)
    rows = [q for q in questions(3) if len(q.question) < 10]
    outputs = module.answer(
        tf.constant([q.question for q in rows]), tf.constant([q.context for q in rows])
    )
    model = lambda inputs, training: flat(inputs)  # noqa: E731
    compare(outputs, answer(model, task, parts[1], rows))


def test_nothing_to_say(parts):
    outputs = served(parts, TASK)(["가"], [" \n"])
    assert outputs["answer"].numpy().tolist() == [b""]
    assert outputs["start"].numpy().tolist() == [-1]
    assert outputs["score"].numpy().tolist() == [0]
    assert outputs["n_best_answers"].shape == (1, 0)


def test_a_long_context(parts):
    context = "가 나다 a bb " * 3000
    row = Question("0", "가", context)
    outputs = served(parts, TASK)([row.question], [context])
    (expected,) = answer(parts[0], TASK, parts[1], [row])
    assert outputs["answer"].numpy()[0].decode() == expected["answer"]
    start, end = outputs["start"].numpy()[0], outputs["end"].numpy()[0]
    assert context[start:end] == expected["answer"]
