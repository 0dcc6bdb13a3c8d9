"""What the report shows of classifiers that choose one label."""

import pytest
from report_page import shown

from kbert.reports.classification import confusion, sections
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.classification.text_examples import TextExample

SCRIPT = "<script>alert(1)</script>"


def _answer(label, score, labels):
    rest = (1 - score) / (len(labels) - 1)
    scores = {other: score if other == label else rest for other in labels}
    return {"label": label, "score": score, "scores": scores}


def _single(labels, golds, predicted, num_errors=50):
    """Sections of examples t0, t1, …; each is answered a little more surely."""
    examples = [TextExample((f"t{i}",), gold) for i, gold in enumerate(golds)]
    answers = [
        _answer(label, 0.6 + i / 100, labels) for i, label in enumerate(predicted)
    ]
    task = TextClassification(tuple(labels))
    return shown(*sections(task, examples, answers, num_errors))


def test_confusion():
    assert confusion("ab", "aab", "abb").tolist() == [[1, 1], [0, 1]]


def test_confusion_matrix_and_labels():
    page = _single(["a", SCRIPT], ["a", "a", "a", SCRIPT], ["a", "a", SCRIPT, SCRIPT])
    matrix, figures = page.all("table")
    assert matrix.rows()[1:] == [["a", "266.7%", "133.3%"], [SCRIPT, "0", "1100.0%"]]
    shares = [cell.attributes["style"] for cell in matrix.all("td")]
    assert shares == [f"--share:{s}" for s in ("0.667", "0.333", "0.000", "1.000")]
    assert [cell.classes for cell in matrix.all("td")] == [
        ["right", "deep"],
        ["wrong"],
        ["wrong", "none"],
        ["right", "deep"],
    ]
    assert figures.rows()[1:] == [
        ["a", "100.00%", "66.67%", "80.00%", "3", "2"],
        [SCRIPT, "50.00%", "100.00%", "66.67%", "1", "2"],
    ]
    assert not page.all("script")


def test_errors_are_the_surest_first_and_counted():
    page = _single("ab", "aaaab", "bbbab", num_errors=2)
    errors = page.all("li")
    assert [error.all("p", "text")[0].text for error in errors] == ["t2", "t1"]
    sides = [span.text for span in errors[0].all("span")]
    assert sides == ["gold a 38.00%", "predicted b 62.00%"]
    notes = [note.text for note in page.all("p", "note")]
    assert notes[-1] == (
        "3 of 5 examples are wrong (60.00%); 2 of them here, surest first."
    )


def test_no_errors():
    page = _single("ab", "ab", "ab")
    assert page.all("p", "note")[-1].text == "None in 2 examples."
    assert not page.all("li")


def test_a_label_never_predicted_and_one_unseen_in_training():
    page = _single("ab", ["a", "new"], ["a", "a"])
    assert page.all("table")[1].rows()[1:] == [
        ["a", "50.00%", "100.00%", "66.67%", "1", "2"],
        ["b", "–", "–", "–", "0", "0"],
        ["new", "–", "0.00%", "0.00%", "1", "0"],
    ]
    assert [span.text for span in page.all("li")[0].all("span")] == [
        "gold new",
        "predicted a 61.00%",
    ]


def test_many_labels_are_pairs():
    labels = [f"l{i}" for i in range(31)]
    golds = ["l0", "l0", "l0", "l1", "l2"]
    page = _single(labels, golds, ["l1", "l1", "l0", "l2", "l2"])
    assert page.all("h2")[0].text == "Confused labels"
    assert page.all("table")[0].rows() == [
        ["gold", "predicted", "examples", "of the gold label"],
        ["l0", "l1", "2", "66.67%"],
        ["l1", "l2", "1", "100.00%"],
    ]
    assert _single(labels[:30], golds, golds).all("table", "wide")


def test_pairs_of_texts_and_long_texts():
    task = TextClassification(("a", "b"), ("first", "second"))
    examples = [TextExample((SCRIPT, "x" * 700), "a")]
    answers = [_answer("b", 0.9, "ab")]
    page = shown(*sections(task, examples, answers, 50))
    first, second = page.all("div", "pair")[0].all("p")
    assert first.text == SCRIPT
    assert second.text == "x" * 600 + " … (100 more characters)"


@pytest.mark.parametrize("num_errors", [0, 1])
def test_fewer_errors_than_there_are(num_errors):
    assert len(_single("ab", "aa", "bb", num_errors).all("li")) == num_errors
