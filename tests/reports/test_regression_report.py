"""What the report shows of models that give a number."""

from report_page import shown

from kbert.reports.regression import sections
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.classification.text_examples import TextExample


def test_regression():
    task = TextClassification(problem_type="regression")
    golds, scores = [0.0, 2.5, 5.0], [0.5, 2.5, 3.0]
    examples = [TextExample((f"t{i}", "u"), gold) for i, gold in enumerate(golds)]
    answers = [{"score": score} for score in scores]
    page = shown(*sections(task, examples, answers, 2))
    assert len(page.all("circle")) == 3
    assert [error.all("p", "text")[0].text for error in page.all("li")] == ["t2", "t0"]
    sides = [span.text for span in page.all("li")[0].all("span")]
    assert sides == ["gold 5", "predicted 3", "difference -2"]
    assert page.all("p", "note")[-1].text == "2 of 3 examples, the farthest off first."
