"""What the report shows of classifiers that give any number of labels."""

from report_page import shown

from kbert.reports.multi_label import sections
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.classification.text_examples import TextExample


def test_multi_label():
    task = TextClassification(
        ("a", "b", "c"), problem_type="multi_label_classification"
    )
    examples = [
        TextExample(("right",), ("a", "b")),
        TextExample(("near",), ("a",)),
        TextExample(("far",), ("b", "c")),
    ]
    answers = [
        {"labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.8, "c": 0.1}},
        {"labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.6, "c": 0.1}},
        {"labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.8, "c": 0.1}},
    ]
    page = shown(*sections(task, examples, answers, 50))
    assert page.all("table")[0].rows()[1:] == [
        ["a", "66.67%", "100.00%", "80.00%", "2", "3"],
        ["b", "66.67%", "100.00%", "80.00%", "2", "3"],
        ["c", "–", "0.00%", "0.00%", "1", "0"],
    ]
    errors = page.all("li")
    assert [error.all("p", "text")[0].text for error in errors] == ["far", "near"]
    assert [span.text for span in errors[0].all("span")] == [
        "found b 80.00%",
        "missed c 10.00%",
        "wrong a 90.00%",
    ]
