"""Questions from nested and flat files; what is wrong with them; prediction files."""

import json

import pytest

from kbert.tasks.questions.squad_files import (
    Question,
    prediction_files,
    read_questions,
)

CONTEXT = "😀 서울은 대한민국의 수도이다. É."


def nested(*qas, context=CONTEXT, title="서울"):
    paragraphs = [{"context": context, "qas": list(qas)}]
    return {"version": "1", "data": [{"title": title, "paragraphs": paragraphs}]}


def qa(identity="1", text="서울", start=2, **more):
    answers = [{"text": text, "answer_start": start}]
    return {"id": identity, "question": "어디?", "answers": answers} | more


def write(path, content, encoding="utf-8"):
    path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)
    return str(path)


def jsonl(path, *records):
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def test_squad_1_1(tmp_path):
    two = qa("a") | {
        "answers": [
            {"text": "수도", "answer_start": CONTEXT.find("수도")},
            {"text": "É", "answer_start": len(CONTEXT) - 2},
        ]
    }
    path = write(tmp_path / "dev.json", nested(qa(7), two))
    assert list(read_questions(path)) == [
        Question("7", "어디?", CONTEXT, (("서울", 2),), "서울"),
        Question("a", "어디?", CONTEXT, (("수도", 12), ("É", 18)), "서울"),
    ]


def test_squad_2_0_and_klue(tmp_path):
    plausible = {"plausible_answers": [{"text": "수도", "answer_start": 0}]}
    klue = qa(is_impossible=False, question_type=1) | {"guid": "klue-1"}
    del klue["id"]
    path = write(
        tmp_path / "dev.json",
        nested(
            qa("a", is_impossible=True, answers=[], **plausible),
            qa("b", text="wrong", is_impossible=True),
            qa("c", answers=[], is_impossible=False),
            klue,
        ),
    )
    found = {question.id: question.answers for question in read_questions(path)}
    assert found == {"a": (), "b": (), "c": (), "klue-1": (("서울", 2),)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_encodings(tmp_path, encoding):
    content = nested(qa(start=0), context="서울은 수도이다.")
    path = write(tmp_path / "dev.json", content, encoding)
    read_as = encoding.removesuffix("-sig")
    (question,) = read_questions(path, encoding=read_as)
    assert question.context == "서울은 수도이다."
    if encoding == "cp949":
        with pytest.raises(ValueError, match="line 1 holds.*--encoding cp949"):
            list(read_questions(path))


def test_flat_records(tmp_path):
    lists = {"text": ["서울", "수도"], "answer_start": [2, 12]}
    objects = [
        {"text": "서울", "answer_start": 2},
        {"text": "수도", "answer_start": 12},
    ]
    base = {"question": "어디?", "context": CONTEXT}
    records = [
        base | {"id": "x", "title": "서울", "answers": lists},
        base | {"answers": objects},
        base | {"answers": {"text": [], "answer_start": []}},
    ]
    expected = [
        Question("x", "어디?", CONTEXT, (("서울", 2), ("수도", 12)), "서울"),
        Question("2", "어디?", CONTEXT, (("서울", 2), ("수도", 12))),
        Question("3", "어디?", CONTEXT, ()),
    ]
    assert list(read_questions(jsonl(tmp_path / "dev.jsonl", *records))) == expected
    assert list(read_questions(write(tmp_path / "a.json", records))) == expected
    path = write(tmp_path / "b.json", {"version": "1", "data": records})
    assert list(read_questions(path)) == expected


def test_tfds_records(monkeypatch):
    """TFDS gives SQuAD as flat records."""
    record = {
        "id": "x",
        "title": "서울",
        "question": "어디?",
        "context": CONTEXT,
        "answers": {"text": ["서울"], "answer_start": [2]},
    }
    monkeypatch.setattr(
        "kbert.tasks.questions.squad_files.read_records",
        lambda source, encoding: iter([record]),
    )
    (question,) = read_questions("tfds:squad:validation")
    assert question == Question("x", "어디?", CONTEXT, (("서울", 2),), "서울")


def test_without_labels(tmp_path):
    path = jsonl(
        tmp_path / "a.jsonl",
        {"question": "어디?", "context": CONTEXT},
        {"question": "어디?", "context": CONTEXT, "answers": "no one looks"},
    )
    assert [q.answers for q in read_questions(path, is_labelled=False)] == [None, None]
    table = tmp_path / "a.tsv"
    table.write_text("question\tcontext\n어디?\t서울\n", encoding="utf-8")
    (question,) = read_questions(str(table), is_labelled=False)
    assert question == Question("1", "어디?", "서울")


def test_answers_that_are_elsewhere(tmp_path):
    qas = [qa("a"), qa("b", start=3), qa("c", text="부산"), qa("d"), qa("e", start=-1)]
    path = write(tmp_path / "dev.json", nested(*qas))
    found = []
    message = (
        r"counted in characters from 0.*dev.json, question b: expected '서울' at 3; "
        r"there stands '울은'. It occurs first at 2. Questions with such an answer: 3."
    )
    with pytest.raises(ValueError, match=message):
        found += read_questions(path)
    path = write(tmp_path / "dev.json", nested(qa("c", text="부산")))
    with pytest.raises(ValueError, match="stands '서울'. It occurs nowhere in the con"):
        list(read_questions(path))
    path = write(tmp_path / "dev.json", nested(qa("c", text="")))
    with pytest.raises(ValueError, match="question c: the answer at 2 has no text"):
        list(read_questions(path))


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    "content, message",
    [
        (
            nested(qa("a"), qa("b"), qa("a")),
            "'a' as article 1, paragraph 1, question 1 a",
        ),
        (nested(qa(question=" ")), "a question with text in it.*question 1 has ' '"),
        (nested(qa(question=None)), "a question with text in it.*has None"),
        (nested(qa(), context=""), "Expected a context with text in it.*has ''"),
        (nested(without(qa(), "question")), '"question" and "context".*has title, con'),
        (nested(without(qa(), "id")), 'Expected an "id" for each.*paragraph 1, quest'),
        (
            nested(without(qa(), "answers")),
            'Expected "answers" as.*question 1 has null',
        ),
        (nested(qa(start="2")), 'Expected "answers" as .*"answer_start": "2"'),
        (nested(qa(answers={"text": ["a"], "answer_start": []})), 'Expected "answers"'),
        (nested("x"), "Expected a question's object.*question 1 has none"),
        ({"data": [{"paragraphs": 3}]}, 'Expected a list "paragraphs".*article 1 has'),
        (
            {"data": [{"paragraphs": [{}]}]},
            'Expected a list "qas".*paragraph 1 has none',
        ),
        ({"data": [3]}, "an object with a question and a context; .*record 1 is a int"),
        ({"rows": []}, 'a list of articles under "data"; .*dev.json has none'),
        (nested(), "Expected questions; .*dev.json has none"),
        ([], "Expected questions; .*dev.json has none"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    path = write(tmp_path / "dev.json", content)
    with pytest.raises(ValueError, match=message):
        list(read_questions(path))


def test_no_json_and_no_file(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text('{"data": [\n  oops]}', encoding="utf-8")
    with pytest.raises(ValueError, match="layout of SQuAD; .*dev.json: .*line 2"):
        list(read_questions(path))
    with pytest.raises(FileNotFoundError, match="other.json does not exist"):
        list(read_questions(tmp_path / "other.json"))


def test_questions_come_one_at_a_time(tmp_path):
    records = [{"question": "어디?", "context": "a"}] * 3 + [{"question": "어디?"}]
    questions = read_questions(jsonl(tmp_path / "a.jsonl", *records), is_labelled=False)
    assert [next(questions).id for _ in range(3)] == ["1", "2", "3"]
    with pytest.raises(ValueError, match="record 4 has question"):
        next(questions)


def answered(identity, text, no_answer_score):
    entry = {"text": text, "start": 0, "end": 2, "start_logit": 1.5, "end_logit": 2.0}
    return {
        "id": identity,
        "answer": text,
        "start": 0,
        "end": 2,
        "score": 1.0,
        "no_answer_score": no_answer_score,
        "n_best": [entry | {"probability": 1.0}],
    }


def test_predictions_are_files_as_run_squad_writes_them():
    files = prediction_files([answered("7", "서울", None), answered("8", "É", None)])
    assert sorted(files) == ["nbest_predictions.json", "predictions.json"]
    assert files["predictions.json"] == '{\n    "7": "서울",\n    "8": "É"\n}\n'
    n_best = json.loads(files["nbest_predictions.json"])
    entry = {"text": "서울", "probability": 1.0, "start_logit": 1.5, "end_logit": 2.0}
    assert n_best["7"] == [entry]
    files = prediction_files([answered("7", "서울", -2.5)])
    assert json.loads(files["null_odds.json"]) == {"7": -2.5}
