"""Multiple choice, from files to the served function: one more kind of model."""

import json

import keras
import numpy as np
import pytest
import small_models
import tensorflow as tf

import kbert
from kbert.export.servable import load_servable
from kbert.export.served_model import ServedModel
from kbert.server.loaded_model import LoadedModel
from kbert.tasks.choices.multiple_choice import Choices

QUESTIONS = [
    Choices("영화가", ("좋다.", "the movie .", "가나다 영화를 봤다!"), 2),
    Choices("the movie", ("a", "영화를 봤다"), 0),
    Choices("가", ("나", "다", "가", "좋다"), 1),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return small_models.multiple_choice(tmp_path_factory.mktemp("model") / "m")


def write(path, records):
    lines = (json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def batch_of(directory, questions=QUESTIONS):
    task = kbert.MultipleChoice(24)
    packed = task.pack(questions, kbert.load_tokenizer(directory))
    return task.batch(packed, np.arange(len(questions)))


def test_files_and_how_they_spell_the_right_choice(tmp_path):
    texts = {"question": "가", "choices": ["나", "다"]}
    labels = [1, "1", "B", "다"]
    file = write(tmp_path / "a.jsonl", [texts | {"label": label} for label in labels])
    task = kbert.MultipleChoice()
    assert list(task.read(file)) == [Choices("가", ("나", "다"), 1)] * 4
    renamed = [{"ctx": "가", "endings": ["나", "다"]}]
    task = kbert.MultipleChoice(text_columns=("ctx", "endings"))
    (found,) = task.read(write(tmp_path / "b.jsonl", renamed), is_labelled=False)
    assert found == Choices("가", ("나", "다"))


@pytest.mark.parametrize(
    "record, message",
    [
        ({"question": " "}, "a question with text in it; row 1 of .* has ' '"),
        ({"choices": "나"}, "the choices as a list of texts; row 1 of .* has '나'"),
        ({"choices": ["나", 7]}, "the choices as a list of texts"),
        ({"choices": ["나"]}, "Expected two choices or more; row 1 of .* has 1"),
        ({"label": 2}, "the place of one of the 2 choices"),
        ({"label": "C"}, "the place of one of the 2 choices"),
        ({"label": True}, "the place of one of the 2 choices"),
        ({"choices": ["나", "나"], "label": "나"}, "row 1 of .* has '나' twice"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, record, message):
    whole = {"question": "가", "choices": ["나", "다"], "label": 0} | record
    file = write(tmp_path / "a.jsonl", [whole])
    with pytest.raises(ValueError, match=message):
        list(kbert.MultipleChoice().read(file))


def test_rows_by_hand():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]
    task = kbert.MultipleChoice(sequence_length=8)
    examples = [Choices("a", ("b", "c c"), 1), Choices("b b", ("a", "b", "c"), 0)]
    packed = task.pack(examples, kbert.BertTokenizer(tokens))
    assert packed.rows.lengths.tolist() == [6, 6]
    inputs, targets, weights = task.batch(packed, np.array([0]))
    assert inputs["token_ids"].tolist() == [
        [[2, 5, 3, 6, 3, 0, 0, 0], [2, 5, 3, 7, 7, 3, 0, 0], [0] * 8]
    ]
    assert inputs["segment_ids"][0, 1].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert inputs["padding_mask"].sum(axis=2).tolist() == [[5, 6, 0]]
    assert (targets.tolist(), weights.tolist()) == ([1], [1.0])


def test_scores_and_the_floor():
    task = kbert.MultipleChoice()
    answers = [
        {"index": 0, "scores": [0.75, 0.25]},
        {"index": 1, "scores": [0.5, 0.5]},
    ]
    examples = [Choices("a", ("b", "c"), 0), Choices("a", ("b", "c"), 0)]
    scores = task.score(answers, examples)
    assert scores["accuracy"] == 0.5
    assert scores["loss"] == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    assert task.floor([*examples, Choices("a", ("b", "c"), 1)]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="row 1 of the examples has none"):
        task.score(answers[:1], [Choices("a", ("b", "c"))])


def test_a_choice_is_scored_as_if_alone(directory):
    """Other choices and rows that fill up change nothing."""
    answerer = kbert.load_answerer(str(directory))
    together = answerer.answer(QUESTIONS)
    for question, answer in zip(QUESTIONS, together, strict=True):
        (alone,) = answerer.answer([question])
        assert alone["scores"] == pytest.approx(answer["scores"], abs=1e-6)
        assert alone["choice"] == question.choices[alone["index"]]
        assert sum(answer["scores"]) == pytest.approx(1)
    texts = [(q.question, *q.choices) for q in QUESTIONS]
    assert [a["index"] for a in answerer(texts)] == [a["index"] for a in together]
    with pytest.raises(ValueError, match="two choices or more; example 1 has 1"):
        answerer([("영화가", "좋다")])


def test_the_numbers_of_transformers_both_ways(directory, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertForMultipleChoice.from_pretrained(directory).eval()
    same = [q for q in QUESTIONS if len(q.choices) == 3]
    inputs, *_ = batch_of(directory, same)
    names = {
        "token_ids": "input_ids",
        "segment_ids": "token_type_ids",
        "padding_mask": "attention_mask",
    }
    tensors = {names[key]: torch.tensor(value).long() for key, value in inputs.items()}
    with torch.no_grad():
        expected = theirs(**tensors).logits.numpy()
    ours = kbert.load(directory).predict_on_batch(inputs)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    theirs.save_pretrained(tmp_path / "theirs")
    again, report = kbert.load_with_report(tmp_path / "theirs")
    assert report.newly_initialised == ()
    np.testing.assert_allclose(again.predict_on_batch(inputs), expected, atol=1e-5)


def test_a_keras_file_holds_it(directory, tmp_path):
    model = kbert.load(directory)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    inputs, *_ = batch_of(directory)
    expected = model.predict_on_batch(inputs)
    np.testing.assert_array_equal(again.predict_on_batch(inputs), expected)
    assert expected[1, 2] == np.float32(-1e9)  # a choice that is not there


@pytest.mark.parametrize("to", ["google-tf1", "kerashub"])
def test_formats_without_it_refuse_it(directory, tmp_path, to):
    with pytest.raises(ValueError, match=r"BertMultipleChoice\. Write its backbone"):
        kbert.convert(str(directory), to, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_served_function_says_the_same(directory):
    function = ServedModel(load_servable(str(directory))).functions()["choose"]
    longest = max(len(q.choices) for q in QUESTIONS)
    choices = [[*q.choices, *[""] * (longest - len(q.choices))] for q in QUESTIONS]
    questions = tf.constant([q.question for q in QUESTIONS])
    found = {k: v.numpy() for k, v in function(questions, tf.constant(choices)).items()}
    expected = kbert.load_answerer(str(directory)).answer(QUESTIONS)
    for i, answer in enumerate(expected):
        count = found["num_choices"][i]
        assert count == len(QUESTIONS[i].choices)
        assert found["label"][i].decode() == answer["choice"]
        assert found["index"][i] == answer["index"]
        assert found["scores"][i, :count] == pytest.approx(answer["scores"], abs=1e-6)
        assert not found["scores"][i, count:].any()
    assert not found["truncated"].any()
    long = function(tf.constant(["가"]), tf.constant([["나", "나 " * 40]]))
    assert long["truncated"].numpy().tolist() == [True]


def test_the_server_takes_lists_of_different_lengths(exported):
    model = LoadedModel(exported("multiple_choice"))
    given = {
        "question": [q.question for q in QUESTIONS],
        "choices": [list(q.choices) for q in QUESTIONS],
    }
    found = model.call("choose", given)
    assert found["num_choices"].tolist() == [3, 2, 4]
    assert model.card["words"]["signatures"]["choose"]["ko"] == "고르기"
    with pytest.raises(ValueError, match="empty strings behind them alone"):
        model.call("choose", {"question": ["가"], "choices": [["", "나"]]})
    with pytest.raises(ValueError, match=r"Expected string \(B, C,\) for 'choices'"):
        model.call("choose", {"question": ["가"], "choices": ["나"]})


@pytest.mark.slow
def test_64_questions_are_learned_by_heart(tmp_path):
    """The right choice is the question's word."""
    rng = np.random.default_rng(0)
    words, records = ["가", "나", "다", "영화"], []
    for _ in range(64):
        word = words[rng.integers(4)]
        others = [w for w in words if w != word]
        choices = [word, *rng.choice(others, rng.integers(1, 3), replace=False)]
        choices = [str(choices[i]) for i in rng.permutation(len(choices))]
        label = choices.index(word)
        records.append({"question": word, "choices": choices, "label": label})
    train = write(tmp_path / "train.jsonl", records)
    backbone = small_models.backbone(
        hidden_dim=64, dropout=0.0, attention_dropout=0.0, initializer_range=0.1
    )
    tokenizer = kbert.BertTokenizer(small_models.TOKENS)
    start = kbert.save(backbone, tmp_path / "start", tokenizer)
    output = kbert.finetune(
        train,
        str(tmp_path / "out"),
        task="multiple-choice",
        model=str(start),
        dev=train,
        epochs=30,
        batch_size=16,
        learning_rate=2e-3,
    )
    scores = kbert.evaluate(str(output), train)
    assert scores["accuracy"] >= 0.95
    assert (output / "evaluations" / "train" / "report.html").is_file()
