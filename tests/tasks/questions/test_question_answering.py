"""The task: answers by logits, thresholds, configuration, and learning by heart."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load_backbone, load_tokenizer
from kbert.metrics.answers import squad_exact_match, squad_f1
from kbert.models.backbone import BertBackbone
from kbert.tasks import answerer as inference
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.questions.squad_files import Question
from kbert.text.tokenizer import BertTokenizer

LETTERS = [*"abcdefghijklmnopqrstuvwxyz"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, "?"]
ALPHABET = " ".join(LETTERS)
OUTPUTS = ("start_logits", "end_logits")


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


@pytest.fixture(scope="module")
def preset_tokenizer():
    return load_tokenizer("kbert_tiny_ko_en")


def asked(identity, context, *answers, question="a?", title=None):
    placed = tuple((text, context.index(text)) for text in answers)
    return Question(identity, question, context, placed, title)


def flat(packed):
    return {name: np.zeros(len(packed.rows.token_ids), "float32") for name in OUTPUTS}


def gold(packed, height=10.0):
    """Logits that point at the targets; at [CLS] where a row has none."""
    outputs = flat(packed)
    for column, name in enumerate(OUTPUTS):
        outputs[name][packed.rows.starts[:-1] + packed.targets[:, column]] = height
    return outputs


def test_an_answer_by_hand(tokenizer):
    task = QuestionAnswering(sequence_length=32)
    packed = task.pack([asked("7", "😀 x y z", "y")], tokenizer)
    outputs = flat(packed)  # [CLS] a ? [SEP] 😀 x y z [SEP]
    outputs["start_logits"][6], outputs["end_logits"][[6, 7]] = 3, (2, 1)
    (answer,) = task.decode(outputs, packed)
    best = answer["n_best"][0]
    assert best == {
        "text": "y",
        "start": 4,
        "end": 5,
        "start_logit": 3.0,
        "end_logit": 2.0,
        "probability": answer["score"],
    }
    assert answer["n_best"][1]["text"] == "y z"
    sums = np.array([e["start_logit"] + e["end_logit"] for e in answer["n_best"]])
    assert answer["score"] == pytest.approx(np.exp(5) / np.exp(sums).sum())
    del answer["n_best"], answer["score"]
    assert answer == {
        "id": "7",
        "answer": "y",
        "start": 4,
        "end": 5,
        "no_answer_score": None,
    }


@pytest.mark.parametrize("has_no_answer", [False, True])
def test_answers_stay_within_the_context(tokenizer, has_no_answer):
    """Whatever the logits of the question, of [SEP] and of [CLS]."""
    task = QuestionAnswering(24, 5, n_best=7, has_no_answer=has_no_answer)
    examples = [
        asked("0", ALPHABET, question="x y z ?"),
        asked("1", "b c", question="b c b c ?"),
        asked("2", ALPHABET[:40], question="?"),
    ]
    packed = task.pack(examples, tokenizer)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        outputs = {
            name: rng.normal(size=len(packed.rows.token_ids)).astype("float32")
            for name in OUTPUTS
        }
        inside = np.zeros(len(packed.rows.token_ids), bool)
        for i in range(len(examples)):
            for part in packed.window_slices(i):
                inside[part] = True
        is_cls = np.isin(np.arange(len(inside)), packed.rows.starts)
        for name in OUTPUTS:
            outputs[name][~inside & ~is_cls] = 100
            outputs[name][is_cls] = -5
        for example, answer in zip(examples, task.decode(outputs, packed), strict=True):
            assert answer["answer"] != ""
            assert len(answer["n_best"]) <= 7 + has_no_answer
            for entry in answer["n_best"]:
                start, end = entry["start"], entry["end"]
                if start is None:
                    assert has_no_answer and entry["text"] == ""
                    continue
                assert example.context[start:end] == entry["text"]
                assert entry["text"] == entry["text"].strip() != ""
                assert entry["start_logit"] < 10 and entry["end_logit"] < 10
            shares = [entry["probability"] for entry in answer["n_best"]]
            assert sum(shares) == pytest.approx(1)
            assert shares == sorted(shares, reverse=True)


def test_the_longest_answer(tokenizer):
    task = QuestionAnswering(sequence_length=64, max_answer_length=2)
    packed = task.pack([asked("0", "b c d e", "b c d")], tokenizer)
    (answer,) = task.decode(gold(packed), packed)
    assert all(len(entry["text"].split()) <= 2 for entry in answer["n_best"])


def test_a_start_counts_where_it_has_most_context(tokenizer):
    # Windows of 16 letters, [0, 16) and [10, 26): "m" is in both, near the second's
    # beginning, so that only the first window may start there.
    task = QuestionAnswering(21, 10)
    packed = task.pack([asked("0", ALPHABET, "m")], tokenizer)
    assert packed.windows.tolist() == [[0, 16], [10, 26]]
    first, second = packed.window_slices(0)
    outputs = flat(packed)
    for name in OUTPUTS:
        outputs[name][first.start + 12] = 1
        outputs[name][second.start + 2] = 9
    (answer,) = task.decode(outputs, packed)
    best = answer["n_best"][0]
    assert (best["text"], best["start_logit"], best["end_logit"]) == ("m", 1, 1)


def test_no_answer_by_the_window_that_is_least_sure(tokenizer):
    task = QuestionAnswering(21, 10, has_no_answer=True)
    packed = task.pack([asked("0", ALPHABET)], tokenizer)
    outputs = flat(packed)
    cls = packed.rows.starts[:-1]
    outputs["start_logits"][cls], outputs["end_logits"][cls] = (5, 1), (4, 2)
    outputs["start_logits"][packed.window_slices(0)[0].start] = 1.5
    (answer,) = task.decode(outputs, packed)
    assert answer["no_answer_score"] == 1 + 2 - 1.5  # of the second window
    assert (answer["answer"], answer["start"], answer["end"]) == ("", None, None)
    null, best = answer["n_best"][:2]
    assert (null["text"], null["start_logit"], null["end_logit"]) == ("", 1, 2)
    assert answer["score"] == null["probability"]
    at_the_score = dataclasses.replace(task, null_threshold=1.5)
    (answer,) = at_the_score.decode(outputs, packed)
    assert answer["answer"] == best["text"] == "a"
    assert answer["score"] == best["probability"]


@pytest.mark.parametrize("has_no_answer", [False, True])
def test_a_context_without_tokens(tokenizer, has_no_answer):
    task = QuestionAnswering(32, has_no_answer=has_no_answer, null_threshold=1e9)
    packed = task.pack([asked("0", "\u200b"), asked("1", "b", "b")], tokenizer)
    empty, other = task.decode(gold(packed), packed)
    assert (empty["answer"], empty["start"], other["answer"]) == ("", None, "b")
    assert len(empty["n_best"]) == has_no_answer
    assert empty["no_answer_score"] == (20 if has_no_answer else None)
    assert json.loads(json.dumps([empty, other])) == [empty, other]


def test_gold_logits_score_the_upper_bound(preset_tokenizer):
    context = "학생회관 건물 계단을 올라, 1989년 2월 15일 서울의 한 대학에 왔다. " * 6
    examples = [
        asked("0", context, "1989년 2월 15일"),
        asked("1", context, "학생회관 건물 계단"),
        asked("2", context, "대학", "서울"),
        asked("3", context, context[:200]),  # longer than 30 tokens
    ]
    task = QuestionAnswering(64, 20, metric="korquad_f1").learned(examples)
    packed = task.pack(examples, preset_tokenizer)
    outputs = flat(packed)
    has_answer = packed.targets[:, 0] > 0
    for column, name in enumerate(OUTPUTS):
        ends = (packed.rows.starts[:-1] + packed.targets[:, column])[has_answer]
        outputs[name][ends] = 10
    scores = task.score(task.decode(outputs, packed), examples)
    bound = task.upper_bound(packed, examples)
    assert 0.25 <= scores["korquad_exact_match"] <= bound <= 0.75
    assert set(scores) == {
        "exact_match",
        "f1",
        "korquad_exact_match",
        "korquad_f1",
    }
    assert bound == dataclasses.replace(task, metric="f1").upper_bound(packed, examples)


def test_the_upper_bound_by_hand(tokenizer):
    examples = [
        asked("0", "b c d", "c d"),
        asked("1", "b cd e", "c"),  # "cd" is one unknown word
        asked("2", "b cd e", "c", "e"),
        asked("3", ALPHABET, ALPHABET[:40]),  # in no window
        asked("4", "b c"),
    ]
    task = QuestionAnswering(sequence_length=21)
    packed = task.pack(examples, tokenizer)
    assert task.upper_bound(packed, examples) == 2 / 5
    assert task.learned(examples).upper_bound(packed, examples) == 3 / 5


def entry(text):
    return {"text": text}


def answered(text, best, no_answer_score):
    return {
        "answer": text,
        "no_answer_score": no_answer_score,
        "n_best": [entry(""), entry(best)] if best else [entry("")],
    }


EXAMPLES = [
    asked("0", "b c d", "b c"),
    asked("1", "b c d", "d"),
    asked("2", "b c d"),
    asked("3", "b c d"),
]
ANSWERS = [
    answered("b", "b", -4.0),
    answered("", "d", 3.0),
    answered("", "c", 2.0),
    answered("d", "d", -1.0),
]


def test_scores_where_there_may_be_no_answer():
    task = QuestionAnswering().learned(EXAMPLES)
    assert task.has_no_answer
    scores = task.score(ANSWERS, EXAMPLES)
    assert scores == {
        "exact_match": 1 / 4,
        "f1": pytest.approx((2 / 3 + 0 + 1 + 0) / 4),
        "korquad_exact_match": 1 / 4,
        "korquad_f1": pytest.approx((2 / 3 + 0 + 1 + 0) / 4),
        "has_answer_exact": 0.0,
        "has_answer_f1": pytest.approx(1 / 3),
        "no_answer_accuracy": 0.5,
        # Doubts -4, -1, 2, 3; answering the first k of them is worth, by F1,
        # 2, 2 2/3, 1 2/3, 2/3, 1 2/3; by exact match 2, 2, 1, 0, 1.
        "best_f1": pytest.approx((2 / 3 + 0 + 1 + 1) / 4),
        "best_f1_threshold": -4.0,
        "best_exact": 0.5,
        "best_exact_threshold": -5.0,
    }
    assert task.calibrated(ANSWERS, EXAMPLES).null_threshold == -4.0
    by_exact = dataclasses.replace(task, metric="exact_match")
    assert by_exact.calibrated(ANSWERS, EXAMPLES).null_threshold == -5.0
    only = task.score(ANSWERS[2:], EXAMPLES[2:])
    assert only["no_answer_accuracy"] == 0.5 and "has_answer_f1" not in only


def test_calibration_leaves_what_has_an_answer():
    task = QuestionAnswering()
    assert task.calibrated(ANSWERS, EXAMPLES) is task
    task = dataclasses.replace(task, has_no_answer=True)
    assert task.calibrated(ANSWERS[:2], EXAMPLES[:2]) is task


def test_calibrated_threshold_is_the_best_of_all(tokenizer):
    """Brute force, through `decode`, over every threshold that parts two questions."""
    rng = np.random.default_rng(5)
    examples = [
        asked(str(i), "b c d e", *(["c d"] if rng.random() < 0.6 else []))
        for i in range(40)
    ]
    for metric, score in (("f1", squad_f1), ("exact_match", squad_exact_match)):
        task = QuestionAnswering(32, metric=metric).learned(examples)
        packed = task.pack(examples, tokenizer)
        outputs = gold(packed, 1.5)
        for name in OUTPUTS:
            outputs[name] += rng.normal(size=len(outputs[name])).astype("float32")
        answers = task.decode(outputs, packed)
        doubts = [answer["no_answer_score"] for answer in answers]

        def at(threshold, task=task, outputs=outputs, packed=packed, score=score):
            replaced = dataclasses.replace(task, null_threshold=threshold)
            decoded = replaced.decode(outputs, packed)
            return np.mean(
                [
                    score(answer["answer"], [text for text, _ in example.answers])
                    for answer, example in zip(decoded, examples, strict=True)
                ]
            )

        best = max(map(at, [min(doubts) - 1, *doubts]))
        chosen = task.calibrated(answers, examples).null_threshold
        assert at(chosen) == pytest.approx(best)
        name = {"f1": "best_f1", "exact_match": "best_exact"}[metric]
        scores = task.score(answers, examples)
        assert scores[name] == pytest.approx(best) and best > scores[metric] - 1e-9
        assert scores[f"{name}_threshold"] == chosen


def test_small_parts():
    task = QuestionAnswering()
    assert not task.learned(EXAMPLES[:2]).has_no_answer
    assert task.floor(EXAMPLES) == 0.5
    assert task.floor(EXAMPLES[:2]) == 0.0
    assert task.group(asked("0", "b", title="T")) == "T"
    assert task.group(asked("0", "b")) == "b"
    assert task.outputs_per == "token"
    assert task.typed("누가?\t그가\t왔다", 3) == Question("3", "누가?", "그가\t왔다")
    for line in ("누가?", "누가?\t ", "\t그가"):
        with pytest.raises(ValueError, match=r"Expected question<TAB>context; line 3"):
            task.typed(line, 3)


def test_reading(tmp_path):
    record = {"id": "x", "question": "어디?", "context": "서울", "answers": []}
    path = tmp_path / "dev.jsonl"
    path.write_text(json.dumps(record, ensure_ascii=False), encoding="cp949")
    task = QuestionAnswering(encoding="cp949")
    assert list(task.read(str(path))) == [Question("x", "어디?", "서울", ())]
    assert list(task.read(str(path), False)) == [Question("x", "어디?", "서울")]


def test_config():
    task = QuestionAnswering(96, 32, 20, 12, 5, True, -1.25, "korquad_f1", "cp949")
    config = {"architectures": ["BertForQuestionAnswering"], **task.to_config()}
    read = QuestionAnswering.from_config(json.loads(json.dumps(config)))
    assert read == dataclasses.replace(task, encoding="utf-8")
    assert config["kbert"]["task"] == "question_answering"
    foreign = {"architectures": ["BertForQuestionAnswering"]}
    assert QuestionAnswering.from_config(foreign) == QuestionAnswering()
    short = foreign | {"max_position_embeddings": 128}
    assert QuestionAnswering.from_config(short).sequence_length == 128
    with pytest.raises(
        ValueError, match="a question answerer; this one holds a BertMo"
    ):
        QuestionAnswering.from_config({})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"metric": "em"}, "metric must be one of exact_match, f1, kor.*; got 'em'"),
        ({"stride": 0}, "stride must be at least 1; got 0"),
        ({"n_best": 0}, "n_best must be at least 1; got 0"),
        ({"max_answer_length": -1}, "max_answer_length must be at least 1; got -1"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        QuestionAnswering(**options)


def test_the_loss_is_the_mean_of_both_ends(tokenizer):
    task = QuestionAnswering(sequence_length=32)
    examples = [asked("0", "b c d", "c d"), asked("1", "b c d e", "b c d")]
    packed = task.pack(examples, tokenizer)
    inputs, targets, weights = task.batch(packed, np.array([1, 0]))
    assert inputs["token_ids"].shape == (2, 16)
    assert targets["start_logits"].tolist() == [4, 5]
    assert targets["end_logits"].tolist() == [6, 6]
    assert weights["end_logits"].tolist() == [1, 1]
    backbone = BertBackbone(len(TOKENS), 1, 2, 8, 12, max_sequence_length=32)
    model = task.build(backbone)
    model.compile("sgd", **task.compile_arguments())
    outputs = {name: np.asarray(x) for name, x in model(inputs).items()}
    parts = {}
    for name in OUTPUTS:
        shares = np.exp(outputs[name])
        shares /= shares.sum(axis=1, keepdims=True)  # (B, L)
        parts[name] = -np.log(shares[[0, 1], targets[name]]).mean()
    found = model.test_on_batch(inputs, targets, weights, return_dict=True)
    assert found["loss"] == pytest.approx(np.mean([*parts.values()]), abs=1e-5)
    for name in OUTPUTS:
        assert found[f"{name}_loss"] == pytest.approx(parts[name], abs=1e-5)


PEOPLE = ["민수", "지영", "현우", "서연", "도윤", "Anna", "Peter", "Clara", "Hugo"]
PLACES = ["부산", "대구", "광주", "제주", "강릉", "London", "Paris", "Vienna", "Oslo"]
THINGS = ["사과", "우산", "시계", "모자", "편지", "apples", "bread", "lamps", "roses"]


def made_up(count, seed):
    """Questions on short lists of who bought what where."""
    rng = np.random.default_rng(seed)
    examples = []
    while len(examples) < count:
        columns = [rng.permutation(words)[:3] for words in (PEOPLE, PLACES, THINGS)]
        facts = list(zip(*columns, strict=True))
        context = " ".join(f"{who} : {where} , {what} ." for who, where, what in facts)
        who, where, what = facts[rng.integers(3)]
        question, answer = [(f"{who} 어디 ?", where), (f"{who} what ?", what)][
            rng.integers(2)
        ]
        identity = str(len(examples))
        examples.append(asked(identity, context, answer, question=question))
    return examples


@pytest.mark.slow
def test_learns_64_questions_by_heart(preset_tokenizer):
    keras.utils.set_random_seed(3)
    examples = made_up(64, seed=3)
    task = QuestionAnswering(sequence_length=64).learned(examples)
    packed = task.pack(examples, preset_tokenizer)
    assert task.upper_bound(packed, examples) == 1
    model = task.build(load_backbone("kbert_tiny_ko_en"))
    model.compile(keras.optimizers.Adam(1e-3), **task.compile_arguments())
    dataset = inference.bucketed_dataset(task, packed, 16, epochs=50, seed=3)
    model.fit(dataset, shuffle=False, verbose=0)
    answers = inference.answer(model, task, preset_tokenizer, examples)
    assert task.score(answers, examples)["exact_match"] >= 0.95
