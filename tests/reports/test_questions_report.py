"""What the report shows of question answerers: answers marked in the contexts."""

from report_page import shown

from kbert.reports.questions import sections
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.questions.squad_files import Question

CONTEXT = "The <old> bridge of Ulm was built in 1832 of stone."


def _question(id, text, title=None):
    answers = ((text, CONTEXT.index(text)),) if text else ()
    return Question(id, f"What is {id} & why?", CONTEXT, answers, title)


def _answered(text, score=0.5):
    start = CONTEXT.index(text) if text else None
    end = start + len(text) if text else None
    return {"answer": text, "start": start, "end": end, "score": score}


def _answers_page(examples, answers, num_errors=50, **options):
    task = QuestionAnswering(**options)
    return shown(*sections(task, examples, answers, num_errors))


def test_answers_are_marked_in_the_context():
    examples = [_question("1", "old> bridge", "Bridges"), _question("2", "1832")]
    answers = [_answered("<old> bridge of Ulm"), _answered("1832")]
    page = _answers_page(examples, answers)
    (error,) = page.all("li")
    assert [span.text for span in error.all("span")] == [
        "gold old> bridge",
        "predicted <old> bridge of Ulm",
        "F1 66.67%",
    ]
    assert [p.text for p in error.all("p")][1:] == [
        "Bridges",
        "What is 1 & why?",
        CONTEXT,
    ]
    for kind, text in (("gold", "old> bridge"), ("wrong", "<old> bridge of Ulm")):
        assert "".join(mark.text for mark in error.all("mark", kind)) == text
    assert not page.all("table")  # one kind of question only


def test_questions_without_answer():
    examples = [_question("1", "1832"), _question("2", ""), _question("3", "")]
    answers = [_answered("", 0.9), _answered("Ulm", 0.8), _answered("")]
    page = _answers_page(examples, answers, has_no_answer=True)
    assert page.all("table")[0].rows() == [
        ["kind", "exact match", "F1", "questions"],
        ["has an answer", "0.00%", "0.00%", "1"],
        ["has no answer", "50.00%", "50.00%", "2"],
    ]
    first, second = page.all("li")
    assert [span.text for span in first.all("span")][:2] == [
        "gold 1832",
        "predicted no answer",
    ]
    assert [mark.classes for mark in first.all("mark")] == [["gold"]]
    assert second.all("span")[0].text == "gold no answer"
    assert [mark.classes for mark in second.all("mark")] == [["wrong"]]


def test_lowest_f1_first_by_the_rules_of_the_metric():
    examples = [_question(str(i), "1832") for i in range(3)]
    answers = [
        _answered("in 1832", 0.9),
        _answered("Ulm", 0.2),
        _answered("stone", 0.7),
    ]
    page = _answers_page(examples, answers, metric="korquad_exact_match")
    shown = [error.all("p", "question")[0].text for error in page.all("li")]
    assert shown == ["What is 2 & why?", "What is 1 & why?", "What is 0 & why?"]
    assert page.all("li")[2].all("span")[2].text == "KorQuAD F1 80.00%"
