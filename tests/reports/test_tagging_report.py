"""What the report shows of taggers: entities and tags marked in the texts."""

from report_page import shown

from kbert.reports.tagging import sections
from kbert.tasks.tagging.tagged_text import entities_in, entity_dict, of_words
from kbert.tasks.tagging.token_classification import TokenClassification

GOLD = ("B-PER", "I-PER", "O", "B-LOC")
NAMES = of_words(["Anna", "<b>", "in", "Ulm"], GOLD)


def _tagged(example, tags):
    entities = [
        entity_dict(example, kind, start, end) | {"score": 0.9}
        for kind, _, _, start, end in entities_in(example, tags)
    ]
    return {"entities": entities, "tags": list(tags)}


def _tagger_page(examples, predicted, num_errors=50):
    task = TokenClassification().learned(examples)
    answers = [_tagged(e, tags) for e, tags in zip(examples, predicted, strict=True)]
    page = shown(*sections(task, examples, answers, num_errors))
    return page, task.by_type(answers, examples)


def _marks(element):
    return [(m.text, m.classes, m.attributes.get("data-label")) for m in element]


def test_types_are_the_tasks_own():
    page, by_type = _tagger_page(
        [NAMES, NAMES], [GOLD, ("B-PER", "O", "B-PER", "B-LOC")]
    )
    expected = [
        [
            kind,
            *(f"{row[name]:.2%}" for name in ("precision", "recall", "f1")),
            str(row["support"]),
        ]
        for kind, row in by_type.items()
    ]
    assert [row[:5] for row in page.all("table")[0].rows()[1:]] == expected
    assert [row[5] for row in page.all("table")[0].rows()[1:]] == ["2", "3"]


def test_entities_are_marked_in_the_text():
    page, _ = _tagger_page([NAMES], [("B-PER", "O", "O", "B-LOC")])
    (error,) = page.all("li")
    assert [span.text for span in error.all("span")[:2]] == ["1 missed", "1 wrong"]
    gold, predicted = error.all("div", "line-of")
    assert [line.all("p")[0].text for line in (gold, predicted)] == [NAMES.text] * 2
    assert _marks(gold.all("mark")) == [
        ("Anna <b>", ["gold"], "PER"),
        ("Ulm", ["right"], "LOC"),
    ]
    assert _marks(predicted.all("mark")) == [
        ("Anna", ["wrong"], "PER"),
        ("Ulm", ["right"], "LOC"),
    ]
    legend = [mark.classes for mark in page.all("p", "legend")[0].all("mark")]
    assert legend == [["right"], ["gold"], ["wrong"]]


def test_texts_with_most_wrong_come_first():
    wrong = ("O", "O", "B-PER", "O")
    page, _ = _tagger_page([NAMES] * 3, [("O", "O", "O", "B-LOC"), GOLD, wrong], 1)
    (error,) = page.all("li")
    assert error.all("span")[0].text == "2 missed"
    assert page.all("p", "note")[-1].text == (
        "2 of 3 examples are wrong (66.67%); 1 of them here, those with most wrong "
        "first."
    )


def test_a_long_text_is_cut_around_what_is_wrong():
    words = ["a"] * 400 + ["Ulm"] + ["b"] * 400
    tags = ["O"] * 400 + ["B-LOC"] + ["O"] * 400
    page, _ = _tagger_page([of_words(words, tags)], [["O"] * 801])
    gold, predicted = page.all("div", "line-of")
    assert _marks(gold.all("mark")) == [("Ulm", ["gold"], "LOC")]
    assert gold.all("p")[0].text == predicted.all("p")[0].text
    assert len(gold.all("p")[0].text) < 250


def test_plain_tags():
    example = of_words(["go", "home", "now"], ["VERB", "NOUN", "ADV"])
    task = TokenClassification().learned([example])
    answers = [{"entities": [], "tags": ["VERB", "VERB", "ADV"]}]
    page = shown(*sections(task, [example], answers, 50))
    assert page.all("table")[0].rows()[1:] == [
        ["ADV", "100.00%", "100.00%", "100.00%", "1", "1"],
        ["NOUN", "–", "0.00%", "0.00%", "1", "0"],
        ["VERB", "50.00%", "100.00%", "66.67%", "1", "2"],
    ]
    assert _marks(page.all("li")[0].all("mark")) == [
        ("home", ["gold"], "NOUN"),
        ("home", ["wrong"], "VERB"),
    ]
