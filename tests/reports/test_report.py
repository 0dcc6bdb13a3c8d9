"""The whole page: title, cards, curves, facts, and what it must not hold."""

import configparser
import re
from pathlib import Path

import pytest
from report_page import parsed

from kbert.reports import report
from kbert.reports.report import write_report
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.classification.text_examples import TextExample
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.questions.squad_files import Question
from kbert.tasks.tagging.tagged_text import of_words
from kbert.tasks.tagging.token_classification import TokenClassification

SCRIPT = "<script>alert(1)</script>"
TASK = TextClassification((SCRIPT, "b"))
EXAMPLES = [TextExample((SCRIPT,), SCRIPT), TextExample(("a & b",), "b")]
ANSWERS = [
    {"label": "b", "score": 0.7, "scores": {SCRIPT: 0.3, "b": 0.7}},
    {"label": "b", "score": 0.8, "scores": {SCRIPT: 0.2, "b": 0.8}},
]
SCORES = {"macro_f1": 0.4, "accuracy": 0.5, "num_examples": 2}
HISTORY = [
    {"step": 10, "epoch": 0.5, "loss": 0.7},
    {"step": 20, "epoch": 1.0, "loss": 0.5, "dev_accuracy": 0.25},
    {"step": 40, "epoch": 2.0, "loss": 0.4, "dev_accuracy": 0.5},
]
FACTS = {
    "arguments": {"output": "runs/<mine>", "patience": None, "seed": 42},
    "data": {"train": {"source": "x/train.tsv"}, "dev": {"source": "x/dev.tsv"}},
    "command": f"kbert finetune classification --model '{SCRIPT}'",
}


@pytest.fixture
def page(tmp_path):
    path = write_report(
        tmp_path / "report.html", TASK, EXAMPLES, ANSWERS, SCORES, HISTORY, FACTS
    )
    assert path == tmp_path / "report.html"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    return path.read_text("utf-8")


def test_head_and_cards(page):
    tree = parsed(page)
    assert tree.all("title")[0].text == "Text classification · <mine> · dev.tsv"
    assert tree.all("h1")[0].text == "Text classification"
    assert tree.all("p", "about")[0].text == "model <mine> · data dev.tsv"
    cards = [
        (card.text, card.classes) for card in tree.all("dl", "cards")[0].all("div")
    ]
    assert cards == [
        ("accuracy50.00%", ["main"]),
        ("macro F140.00%", []),
        ("examples2", []),
    ]


def test_curves_and_facts(page):
    tree = parsed(page)
    assert [caption.text for caption in tree.all("figcaption")] == [
        "Training loss",
        "Held-out accuracy: best 50.00% at step 40",
    ]
    assert len(tree.all("circle", "ring")) == 1
    rows = tree.all("table", "facts")[0].rows()
    assert rows[0] == ["arguments", "output: runs/<mine>seed: 42"]
    assert [row[0] for row in rows] == ["arguments", "data"]
    assert tree.all("pre")[0].text == FACTS["command"]
    assert [heading.text for heading in tree.all("h2")] == [
        "Training",
        "Confusion matrix",
        "Labels",
        "Errors",
        "How this was made",
    ]


def test_users_text_is_text_and_nothing_comes_from_the_network(page):
    tree = parsed(page)
    assert "<script" not in page.lower()
    assert tree.all("li")[0].all("p", "text")[0].text == SCRIPT
    assert not re.search(r"https?:|//|url\(|@import|<link|<img", page)
    policy = next(
        meta.attributes["content"]
        for meta in tree.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_without_history_and_facts(tmp_path):
    path = write_report(tmp_path / "r.html", TASK, EXAMPLES, ANSWERS, SCORES)
    tree = parsed(path.read_text("utf-8"))
    assert not tree.all("svg") and not tree.all("pre")
    assert tree.all("title")[0].text == "Text classification"


def test_facts_of_an_evaluation(tmp_path):
    facts = {"model": "runs/tiny/", "data": {"source": "tfds:glue/sst2:test"}}
    path = write_report(
        tmp_path / "r.html", TASK, EXAMPLES, ANSWERS, SCORES, None, facts
    )
    about = parsed(path.read_text("utf-8")).all("p", "about")[0].text
    assert about == "model tiny · data sst2:test"


def test_half_a_surrogate_pair_and_an_old_page(tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")
    examples = [TextExample(("a\ud800b",), SCRIPT), EXAMPLES[1]]
    write_report(path, TASK, examples, ANSWERS, SCORES)
    tree = parsed(path.read_text("utf-8"))
    assert tree.all("li")[0].all("p", "text")[0].text == "a?b"


@pytest.mark.parametrize(
    "task, example, answer, title",
    [
        (
            TextClassification(("a",), problem_type="multi_label_classification"),
            TextExample(("t",), ("a",)),
            {"labels": [], "scores": {"a": 0.2}},
            "Multi-label classification",
        ),
        (
            TextClassification(problem_type="regression"),
            TextExample(("t",), 1.0),
            {"score": 0.5},
            "Regression",
        ),
        (
            TokenClassification(("O", "B-X", "I-X"), "word", metric="f1"),
            of_words(["t"], ["B-X"]),
            {"entities": [], "tags": ["O"]},
            "Tagging",
        ),
        (
            QuestionAnswering(),
            Question("1", "what?", "t", (("t", 0),)),
            {"answer": "", "start": None, "end": None, "score": 0.0},
            "Question answering",
        ),
    ],
)
def test_every_task(tmp_path, task, example, answer, title):
    path = write_report(tmp_path / "r.html", task, [example], [answer], {})
    tree = parsed(path.read_text("utf-8"))
    assert tree.all("h1")[0].text == title
    assert len(tree.all("li")) == 1


def test_the_package_brings_its_templates():
    package = Path(report.__file__).parents[1]
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    patterns = config["options.package_data"]["kbert"].split()
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    templates = set((package / "reports" / "templates").iterdir())
    assert len(templates) >= 7
    assert templates <= packed


def test_answers_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="one answer for each; got 2 examples and 1"):
        write_report(tmp_path / "r.html", TASK, EXAMPLES, ANSWERS[:1], SCORES)
    with pytest.raises(ValueError, match="got 0 examples and 0 answers"):
        write_report(tmp_path / "r.html", TASK, [], [], SCORES)
    with pytest.raises(ValueError, match="Expected a task out of .*; got a str"):
        write_report(tmp_path / "r.html", "task", EXAMPLES, ANSWERS, SCORES)
    assert not list(tmp_path.iterdir())
