"""Each kind of section as its template shows it: escaping, white space, tables."""

import re

import jinja2
import pytest
from report_page import parsed, shown

from kbert.reports.charts import line_chart
from kbert.reports.excerpts import Piece, marked_text
from kbert.reports.page import page
from kbert.reports.sections import (
    Card,
    Charts,
    ConfusionMatrix,
    Example,
    Examples,
    Side,
    Table,
    errors,
)

HOSTILE = "\"><script>alert('1')</script>&amp;"


def test_table():
    rows = [("<a>", "1"), ("b", "2")]
    table = shown(Table("Title", ("name", "count"), rows, note="A note."))
    assert table.all("table")[0].rows() == [["name", "count"], ["<a>", "1"], ["b", "2"]]
    assert [cell.text for cell in table.all("td", "number")] == ["1", "2"]
    assert [cell.text for cell in table.all("th", "number")] == ["count"]
    assert (table.all("h2")[0].text, table.all("p", "note")[0].text) == (
        "Title",
        "A note.",
    )
    two = shown(Table("Title", ("a", "b", "n"), [("x", "y", "1")], num_texts=2))
    assert [cell.text for cell in two.all("td", "word")] == ["x", "y"]
    assert not two.all("p", "note")


def test_facts():
    facts = {"a_f1": {"b": [1, "<2>"], "none": None, "c": 5e-05}, "none": None}
    tree = parsed(page("Facts", facts, (), ()))
    assert [line.text for line in tree.all("div")] == ["b: 1, <2>", "c: 5e-05"]
    assert tree.all("table", "facts")[0].rows() == [
        ["a F1", "b: 1, <2>c: 5e-05"],
        ["none", "None"],
    ]
    only_command = parsed(page("Facts", {"command": "kbert <x>"}, (), ()))
    assert not only_command.all("table")
    assert only_command.all("code")[0].text == "kbert <x>"


def test_marks_and_white_space_of_texts():
    text = " a  b\n\n c&<"
    marks = [(1, 2, "gold", "PS"), (1, 5, "wrong", "OG")]
    example = Example(
        [Side("gold", "gold", "x")], texts=[marked_text(text, marks, [], 1, 99)]
    )
    (item,) = shown(Examples("Title", [example])).all("li")
    assert item.all("p", "text")[0].text == text
    assert [
        (mark.text, mark.classes, mark.attributes.get("data-label"))
        for mark in item.all("mark")
    ] == [("a", ["gold", "wrong"], "PS"), ("  b", ["wrong"], "OG")]


def test_korean_texts_say_so():
    example = Example(
        (), "", "누구?", [marked_text("한국", [(0, 1, "gold", "")], [], 1, 9)]
    )
    page = shown(Examples("Title", [example, Example((), texts=[[Piece("Ulm")]])]))
    assert [p.attributes["lang"] for p in page.all("p", "text")] == ["ko", ""]
    assert page.all("p", "question")[0].attributes["lang"] == "ko"


def test_sides_one_text_a_pair_and_lines():
    sides = [Side("gold", "gold", "a", "12.00%"), Side("", "F1", "50%"), Side("", "x")]
    one, pair, lines = (
        Example(sides, "T", "Q?", [[Piece("a")]]),
        Example(sides, texts=[[Piece("a")], [Piece("b")]]),
        Example(sides, lines=[("gold", [Piece("a")]), ("predicted", [Piece("b")])]),
    )
    tree = shown(Examples("Title", [one, pair, lines], legend=[("gold", "accepted")]))
    one, pair, lines = tree.all("li")
    assert [span.text for span in one.all("span")] == ["gold a 12.00%", "F1 50%", "x"]
    assert [span.attributes.get("class") for span in one.all("span")] == [
        "gold",
        None,
        None,
    ]
    assert [p.text for p in one.all("p")][1:] == ["T", "Q?", "a"]
    assert [p.text for p in pair.all("div", "pair")[0].all("p")] == ["a", "b"]
    assert [line.text for line in lines.all("div", "line-of")] == [
        "golda",
        "predictedb",
    ]
    assert tree.all("p", "legend")[0].text.split() == ["abc", "accepted"]


def _everywhere(text):
    """Every string that a user's data, labels or file names can reach."""
    marks = [(0, len(text), "gold", text)]
    example = Example(
        [Side("wrong", text, text, text)],
        text,
        text,
        [marked_text(text, marks, [], 1, 99), [Piece(text)]],
        [(text, [Piece(text, ("right",), text)])],
    )
    chart = line_chart({"training": [(1, 1)], "held-out": [(1, 2)]}, text, text)
    return (
        Table(text, (text, text), [(text, text)], text),
        ConfusionMatrix(text, [text], [[1]], [[1.0]], False, text),
        Charts(text, [chart], text),
        errors(1, 2, text, [example], [("gold", text)]),
    )


def test_hostile_text_stays_text_everywhere():
    facts = {HOSTILE: {HOSTILE: [HOSTILE]}, "model": HOSTILE, "command": HOSTILE}
    cards = [Card(HOSTILE, HOSTILE, HOSTILE)]
    html = page(HOSTILE, facts, cards, _everywhere(HOSTILE))
    tree, harmless = (
        parsed(text)
        for text in (html, page("x", {"x": {"x": ["x"]}}, (), _everywhere("x")))
    )
    assert "<script" not in html
    assert not tree.all("script")
    assert html.count("<section>") == len(tree.all("section")) == 5
    allowed = {a for element in _elements(harmless) for a in element.attributes}
    assert {a for element in _elements(tree) for a in element.attributes} == allowed
    assert tree.all("mark")[1].attributes["data-label"] == HOSTILE
    assert tree.all("svg")[0].attributes["aria-label"] == HOSTILE


def _elements(tree):
    for child in tree.children:
        if not isinstance(child, str):
            yield child
            yield from _elements(child)


def test_every_class_of_a_page_has_a_rule_in_its_style():
    html = page("x", {"model": "x"}, [Card("x", "x", "x", True)], _everywhere("x"))
    style = html[html.index("<style>") : html.index("</style>")]
    used = {kind for element in _elements(parsed(html)) for kind in element.classes}
    bare = {"chart", "name", "training"}  # names for readers of the page
    assert {kind for kind in used if not re.search(rf"\.{kind}\b", style)} == bare


def test_a_name_that_no_section_has_is_an_error():
    class Strange:
        template = "table.html"
        title, note = "Title", ""

    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'header'"):
        shown(Strange())
