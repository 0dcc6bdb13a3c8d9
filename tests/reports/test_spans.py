"""What the report shows of taggers and question answerers: marks in the texts."""

from report_page import parsed

from kbert.reports.parts import joined
from kbert.reports.spans import answer_sections, tag_sections
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.questions.squad_files import Question
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
    page = parsed(joined(tag_sections(task, examples, answers, num_errors)))
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
    page = parsed(joined(tag_sections(task, [example], answers, 50)))
    assert page.all("table")[0].rows()[1:] == [
        ["ADV", "100.00%", "100.00%", "100.00%", "1", "1"],
        ["NOUN", "–", "0.00%", "0.00%", "1", "0"],
        ["VERB", "50.00%", "100.00%", "66.67%", "1", "2"],
    ]
    assert _marks(page.all("li")[0].all("mark")) == [
        ("home", ["gold"], "NOUN"),
        ("home", ["wrong"], "VERB"),
    ]


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
    return parsed(joined(answer_sections(task, examples, answers, num_errors)))


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
