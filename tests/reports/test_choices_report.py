"""What the report shows of models that choose one of several texts."""

from report_page import shown

from kbert.reports.choices import sections
from kbert.tasks.choices.multiple_choice import Choices

CHOICES = ("<b>우산</b>", "눈", "a" * 700)
EXAMPLES = [Choices("비가 오면", CHOICES, 0), Choices("q1", CHOICES, 0)]
EXAMPLES += [Choices("q2", CHOICES[:2], 1)]


def _answer(index, *scores):
    return {"index": index, "score": scores[index], "scores": list(scores)}


ANSWERS = [_answer(1, 0.3, 0.6, 0.1), _answer(2, 0.1, 0.2, 0.7), _answer(1, 0.1, 0.9)]


def _page(num_errors=50):
    return shown(*sections(None, EXAMPLES, ANSWERS, num_errors))


def test_places_that_are_right_and_that_are_chosen():
    assert _page().all("table")[0].rows() == [
        ["place", "right", "chosen"],
        ["1", "2", "0"],
        ["2", "1", "2"],
        ["3", "0", "1"],
    ]


def test_the_surest_error_first_with_its_choices_marked():
    surer, other = _page().all("li")
    assert [span.text for span in surer.all("p", "sides")[0].all("span")] == [
        "right 1 10.00%",
        "chosen 3 70.00%",
    ]
    assert [p.text for p in other.all("p", "text")] == [
        "비가 오면",
        "<b>우산</b>",
        "눈",
        "a" * 600 + " … (100 more characters)",
    ]
    assert [line.all("span")[0].text for line in other.all("div", "line-of")] == [
        "1 · 30.00%",
        "2 · 60.00%",
        "3 · 10.00%",
    ]
    marks = [(mark.text, mark.classes) for mark in other.all("mark")]
    assert marks == [("<b>우산</b>", ["gold"]), ("눈", ["wrong"])]


def test_notes_and_legend():
    page = _page(num_errors=1)
    assert page.all("p", "note")[-1].text == (
        "2 of 3 examples are wrong (66.67%); 1 of them here, surest first."
    )
    legend = page.all("p", "legend")[0]
    assert [mark.classes for mark in legend.all("mark")] == [["gold"], ["wrong"]]
