"""Answers in the graph equal those of the task's own `decode`."""

import dataclasses
import random
import sys

import numpy as np
import pytest
import small_models
import tensorflow as tf

import kbert
from kbert.export.graph.answers import best_candidates
from kbert.export.graph.windows import code_points
from kbert.export.served_question_answerer import ServedQuestionAnswerer
from kbert.tasks.answerer import answer
from kbert.tasks.questions.squad_files import Question

TOKENS = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    *"가나다라마abcd",
    *["##가", "##b"],
]
TASK = kbert.QuestionAnswering(
    sequence_length=24,
    stride=4,
    max_question_length=5,
    max_answer_length=6,
    n_best=5,
    has_no_answer=True,
)
SPEC = tf.TensorSpec((None,), tf.string)


@pytest.fixture(scope="module")
def parts():
    """A model, its logits spread wide, and its tokenizer."""
    backbone = small_models.backbone(
        vocabulary_size=len(TOKENS), max_sequence_length=32, initializer_range=0.7
    )
    return kbert.BertQuestionAnswerer(backbone), kbert.BertTokenizer(TOKENS)


def served(parts, task):
    model, tokenizer = parts
    return ServedQuestionAnswerer(
        lambda inputs: model(inputs, training=False), tokenizer, task
    )


@pytest.fixture(scope="module")
def in_graph(parts):
    """`TASK` as exported; tracing takes seconds, so that most tests go without."""
    module = served(parts, TASK)
    function = tf.function(module.answer, input_signature=[SPEC] * 2, autograph=False)
    return function.get_concrete_function()


def questions(seed, count=12, most_asked=12):
    """Short and long contexts out of few words, so that answers come again."""
    generator = random.Random(seed)
    words = ["가", "나다", "a", "가가", "bb", " b", "라.", "\u3000마", "c\u0301", "😀"]
    rows = []
    for i in range(count):
        length = generator.choice([0, 1, 3, 10, 40])
        context = " ".join(generator.choices(words, k=length))
        asked = generator.choices("가나ab", k=generator.randint(0, most_asked))
        rows.append(Question(str(i), " ".join(asked), context))
    return rows


def columns(rows):
    return (
        tf.constant([row.question for row in rows]),
        tf.constant([row.context for row in rows]),
    )


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
            assert (outputs[f"n_best_{name}s"][i, count:] == -1).all()
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


@pytest.mark.filterwarnings("ignore:.*were cut")
@pytest.mark.parametrize("has_no_answer", [False, True])
@pytest.mark.parametrize(("n_best", "stride"), [(1, None), (5, 4), (20, 100)])
def test_equals_decode(parts, has_no_answer, n_best, stride):
    task = dataclasses.replace(
        TASK, has_no_answer=has_no_answer, n_best=n_best, stride=stride
    )
    module = served(parts, task)
    for seed in range(3):
        rows = questions(seed)
        outputs = module.answer(*columns(rows))
        compare(outputs, answer(parts[0], task, parts[1], rows))
        cut = [len(parts[1]([q.question])[0]) > 5 for q in rows]
        assert outputs["truncated"].numpy().tolist() == cut


@pytest.mark.filterwarnings("ignore:.*were cut")
def test_the_graph_equals_decode(parts, in_graph):
    declared = [
        tensor.name for tensor in served(parts, TASK).signatures["answer"].outputs
    ]
    for seed in range(3, 6):
        rows = questions(seed)
        outputs = in_graph(*columns(rows))
        compare(outputs, answer(parts[0], TASK, parts[1], rows))
        assert set(outputs) == set(declared)


def test_the_graph_holds_no_python(in_graph):
    graph = in_graph.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    assert len(nodes) > 100
    assert not [node.op for node in nodes if "PyFunc" in node.op]


def test_a_long_context(parts, in_graph):
    """40 KB, 1 900 windows."""
    generator = random.Random(0)
    context = " ".join(generator.choices(["가", "나다", "a", "bb", "라."], k=9000))
    row = Question("0", "가", context)
    outputs = in_graph(*columns([row]))
    compare(outputs, answer(parts[0], TASK, parts[1], [row]))
    start, end = outputs["start"].numpy()[0], outputs["end"].numpy()[0]
    assert context[start:end] == outputs["answer"].numpy()[0].decode()


def test_threshold_decides(parts):
    """A little below what a question's answers differ by, and a little above it."""
    rows = questions(7, most_asked=5)
    found = answer(parts[0], TASK, parts[1], rows)
    for i, row in enumerate(found):
        if len(row["n_best"]) < 2:  # an empty context never has an answer
            continue
        for margin, is_answered in ((-1e-3, False), (1e-3, True)):
            threshold = row["no_answer_score"] + margin
            task = dataclasses.replace(TASK, null_threshold=threshold)
            outputs = served(parts, task).answer(*columns(rows))
            compare(outputs, answer(parts[0], task, parts[1], rows))
            assert bool(outputs["answer"].numpy()[i]) == is_answered
        return
    pytest.fail("No question has an answer.")


@pytest.mark.parametrize("has_no_answer", [False, True])
def test_ties_stand_in_order(parts, has_no_answer):
    """All logits equal: windows, starts and ends decide, as in a stable sort."""
    task = dataclasses.replace(TASK, has_no_answer=has_no_answer)

    def flat(inputs):
        zeros = tf.zeros(tf.shape(inputs["token_ids"]))
        return {"start_logits": zeros, "end_logits": zeros}

    def model(inputs, training):
        return flat(inputs)

    rows = questions(3, most_asked=5)
    outputs = ServedQuestionAnswerer(flat, parts[1], task).answer(*columns(rows))
    compare(outputs, answer(model, task, parts[1], rows))


def test_a_question_leaves_room_for_16_tokens(parts):
    """`decode` refuses a longer one, 21 of 24 tokens; here it is cut to 5."""
    rows = [Question("0", "가 나 a b 가 " * 4, "나다 a 가 bb " * 9)]
    task = dataclasses.replace(TASK, max_question_length=64)
    outputs = served(parts, task).answer(*columns(rows))
    with pytest.warns(UserWarning, match="were cut"):
        compare(outputs, answer(parts[0], TASK, parts[1], rows))
    assert outputs["truncated"].numpy().tolist() == [True]


@pytest.mark.parametrize("context", ["", " \n", "\u00ad"])
def test_nothing_to_say(parts, context):
    """The last one is a character that no token has."""
    row = Question("0", "가", context)
    outputs = served(parts, TASK).answer(*columns([row]))
    compare(outputs, answer(parts[0], TASK, parts[1], [row]))
    assert outputs["answer"].numpy().tolist() == [b""]
    assert outputs["start"].numpy().tolist() == outputs["end"].numpy().tolist() == [-1]
    assert outputs["score"].numpy().tolist() == [1]
    assert outputs["no_answer_probability"].numpy().tolist() == [1]

    task = dataclasses.replace(TASK, has_no_answer=False)
    outputs = served(parts, task).answer(*columns([row]))
    assert outputs["answer"].numpy().tolist() == [b""]
    assert outputs["start"].numpy().tolist() == outputs["end"].numpy().tolist() == [-1]
    assert outputs["score"].numpy().tolist() == [0]
    assert outputs["num_answers"].numpy().tolist() == [0]
    assert outputs["n_best_answers"].shape == (1, 0)


def test_bytes_that_are_not_utf8(parts):
    """Each stretch of them counts as one character, U+FFFD, as in Python."""
    context = b"\xff\xfe\xea\xb0 a\xff b"
    outputs = served(parts, TASK).answer(tf.constant(["가"]), tf.constant([context]))
    text = context.decode("utf-8", "replace")
    for i in range(outputs["num_answers"].numpy()[0]):
        slices = (
            outputs[f"n_best_{name}"].numpy()[0, i] for name in ("starts", "ends")
        )
        found = outputs["n_best_answers"].numpy()[0, i].decode()
        start, end = slices
        assert found == ("" if start == -1 else text[start:end])


def test_no_questions(in_graph):
    outputs = in_graph(tf.constant([], tf.string), tf.constant([], tf.string))
    assert {x.shape[0] for x in outputs.values()} == {0}


def candidates_of(points, rows, starts, ends, scores):
    rows, starts, ends = (tf.constant(x, tf.int32) for x in (rows, starts, ends))
    found = best_candidates(points, rows, starts, ends, tf.constant(scores, tf.float64))
    return {name: x.numpy().tolist() for name, x in found.items()}


def test_best_candidates_example():
    points = code_points(tf.constant(["a b a"]))
    found = candidates_of(points, [0, 0, 0], [0, 4, 2], [1, 5, 3], [2, 1, 1])
    assert found == {
        "row": [0, 0],
        "start": [0, 2],
        "end": [1, 3],
        "score": [2, 1],
    }


def test_each_different_slice_stays_once():
    """All slices of two texts of two letters: the first one of each text is kept."""
    generator = random.Random(0)
    texts = ["".join(generator.choices("ab가", k=40)) for _ in range(2)]
    slices = [(r, s, e) for r in (0, 1) for s in range(40) for e in range(s + 1, 41)]
    first = {}
    for r, s, e in slices:
        first.setdefault((r, texts[r][s:e]), (r, s, e))
    points = code_points(tf.constant(texts))
    found = candidates_of(points, *zip(*slices, strict=True), [0.0] * len(slices))
    kept = zip(found["row"], found["start"], found["end"], strict=True)
    assert list(kept) == list(first.values())
    assert len(first) < len(slices)


def test_white_space_is_no_answer():
    """What `str.strip` takes away, out of all characters but surrogates."""
    characters = [chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i < 0xE000]
    points = code_points(tf.constant(["".join(characters)]))
    places = range(len(characters))
    found = candidates_of(
        points, [0] * len(places), places, [i + 1 for i in places], [0.0] * len(places)
    )
    assert found["start"] == [i for i in places if characters[i].strip()]
