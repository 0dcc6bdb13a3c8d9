"""Marks within texts, and what is shown of long ones."""

from kbert.reports.excerpts import Piece, excerpts, marked_text


def test_excerpts():
    assert excerpts(100, [(60, 61), (20, 25)], 5, 50) == [(15, 30), (55, 66)]
    assert excerpts(100, [(20, 25), (28, 30)], 5, 50) == [(15, 35)]
    assert excerpts(100, [(1, 2), (99, 100)], 5, 50) == [(0, 7), (94, 100)]
    assert excerpts(40, [(1, 2)], 5, 50) == [(0, 40)]
    assert excerpts(100, [], 5, 50) == [(0, 50)]


def test_marks_that_overlap():
    marks = [(0, 2, "gold", "PS"), (1, 3, "wrong", "OG"), (3, 3, "gold", "no")]
    assert marked_text("ab&<", marks, [], 1, 10) == [
        Piece("a", ("gold",)),
        Piece("b", ("gold", "wrong"), "PS"),
        Piece("&", ("wrong",), "OG"),
        Piece("<"),
    ]


def test_marks_in_a_long_text():
    text = "x" * 50 + "gold" + "y" * 50
    pieces = marked_text(text, [(50, 54, "gold", "")], [(50, 54)], 3, 20)
    assert "".join(piece.text for piece in pieces) == " … xxxgoldyyy … "
    assert [piece.text for piece in pieces if piece.kinds] == ["gold"]
