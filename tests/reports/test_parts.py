"""Pieces of the report: escaping, numbers, and marks within texts."""

import pytest
from report_page import parsed

from kbert.reports.parts import (
    Html,
    cut,
    excerpts,
    fact,
    marked_text,
    number,
    percent,
    score,
    table,
    tag,
    words,
)


def test_tags_escape_what_is_not_html():
    inner = tag("b", '1 < 2 & "3"', class_="big", data_kind='a"b', title=None)
    assert inner == (
        '<b class="big" data-kind="a&quot;b">1 &lt; 2 &amp; &quot;3&quot;</b>'
    )
    assert tag("p", inner, "<i>") == f"<p>{inner}&lt;i&gt;</p>"
    assert isinstance(inner, Html)


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("accuracy", 0.87654, "87.65%"),
        ("f1", 1.0, "100.00%"),
        ("exact_match", 87.654, "87.65"),
        ("pearson", 0.87654, "0.8765"),
        ("mcc", -0.5, "-0.5000"),
        ("loss", 0.25, "0.2500"),
        ("best_f1_threshold", 0.5, "0.5000"),
        ("num_examples", 1, "1"),
        ("accuracy", float("nan"), "–"),
        ("loss", float("inf"), "inf"),
    ],
)
def test_scores(name, value, shown):
    assert score(name, value) == shown


def test_numbers_and_words():
    assert [number(x) for x in (1234, 0.5, 1234.5)] == ["1,234", "0.5000", "1,234.50"]
    assert percent(0.5) == "50.00%"
    assert words("klue_character_f1") == "KLUE character F1"
    assert cut("abcdefgh", 5) == "abcde … (3 more characters)"
    assert cut("abcde", 5) == "abcde"


def test_facts():
    shown = parsed(fact({"a": {"b": [1, "<2>"]}, "none": None, "c": 5e-05}))
    assert [line.text for line in shown.all("div")] == [
        "a: b: 1, <2>",
        "b: 1, <2>",
        "c: 5e-05",
    ]


def test_table():
    shown = parsed(table(("name", "count"), [("<a>", "1"), ("b", "2")]))
    assert shown.all("table")[0].rows() == [["name", "count"], ["<a>", "1"], ["b", "2"]]
    assert [cell.text for cell in shown.all("td", "number")] == ["1", "2"]


def test_excerpts():
    assert excerpts(100, [(60, 61), (20, 25)], 5, 50) == [(15, 30), (55, 66)]
    assert excerpts(100, [(20, 25), (28, 30)], 5, 50) == [(15, 35)]
    assert excerpts(100, [(1, 2), (99, 100)], 5, 50) == [(0, 7), (94, 100)]
    assert excerpts(40, [(1, 2)], 5, 50) == [(0, 40)]
    assert excerpts(100, [], 5, 50) == [(0, 50)]


def test_marks_that_overlap():
    marks = [(0, 2, "gold", "PS"), (1, 3, "wrong", "OG"), (3, 3, "gold", "no")]
    shown = parsed(marked_text("ab&<", marks, [], 1, 10))
    assert shown.text == "ab&<"
    assert [
        (mark.text, mark.classes, mark.attributes.get("data-label"))
        for mark in shown.all("mark")
    ] == [
        ("a", ["gold"], None),
        ("b", ["gold", "wrong"], "PS"),
        ("&", ["wrong"], "OG"),
    ]


def test_marks_in_a_long_text():
    text = "x" * 50 + "gold" + "y" * 50
    shown = parsed(marked_text(text, [(50, 54, "gold", "")], [(50, 54)], 3, 20))
    assert shown.text == " … xxxgoldyyy … "
    assert [mark.text for mark in shown.all("mark")] == ["gold"]
