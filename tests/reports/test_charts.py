"""Charts as SVG: axes, points at their places, and what cannot be drawn."""

import math

import pytest
from report_page import shown

from kbert.reports.charts import line_chart, scatter_chart, thinned, ticks
from kbert.reports.sections import Charts


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (17, 93, [20, 40, 60, 80]),
        (-0.003, 0.003, [-0.003, -0.002, -0.001, 0, 0.001, 0.002, 0.003]),
        (0, 7e6, [0, 1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6]),
    ],
)
def test_ticks(low, high, expected):
    assert ticks(low, high) == expected


def test_thinned():
    assert thinned([(1, 8), (2, 6), (3, 4), (4, 2)], 2) == [(1.5, 7), (3.5, 3)]
    assert thinned([(1, 8), (2, 6), (3, 4)], 3) == [(1, 8), (2, 6), (3, 4)]


def _drawn(chart):
    return shown(Charts("Charts", [chart]))


def _points(line):
    return [tuple(map(float, p.split(","))) for p in line.attributes["points"].split()]


def test_line_chart():
    points = [(0, 1.0), (50, math.nan), (100, 3.0), (200, 2.0)]
    chart = _drawn(line_chart({"held-out": points}, "step", "a < b", ring=(100, 3.0)))
    (line,) = chart.all("polyline")
    (x0, y0), (x1, y1), (x2, y2) = _points(line)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 > y2 > y1  # y grows downwards in SVG
    (ring,) = chart.all("circle", "ring")
    assert (float(ring.attributes["cx"]), float(ring.attributes["cy"])) == (x1, y1)
    assert chart.all("figcaption")[0].text == "a < b"
    labels = [text.text for text in chart.all("text")]
    assert {"0", "100", "200", "step", "1", "2", "3"} <= set(labels)
    assert chart.all("figure")[0].all("title")[0].text == "held-out, step 0: 1.0000"
    assert not chart.all("p", "keys")


def test_lines_share_axes_and_have_a_legend():
    lines = {"training": [(0, 4.0), (10, 2.0)], "held-out": [(10, 4.0)], "none": []}
    chart = _drawn(line_chart(lines, "step", "Loss"))
    training, held_out = map(_points, chart.all("polyline"))
    assert held_out[0] == (training[1][0], training[0][1])
    keys = chart.all("p", "keys")[0].all("span")
    assert [(key.text, key.classes) for key in keys] == [
        ("training", ["training"]),
        ("held-out", ["held-out"]),
    ]


def test_one_point_and_equal_points():
    one = line_chart({"training": [(5, 0.0)]}, "step", "loss")
    assert len(one.lines[0].points) == 1
    equal = line_chart({"training": [(5, 2), (6, 2)]}, "step", "loss")
    assert len(equal.lines[0].points) == 2


def test_many_points():
    points = [(i, i % 7) for i in range(10_000)]
    (line,) = line_chart({"training": points}, "step", "loss").lines
    assert 200 < len(line.points) <= 300
    assert not line.dots


def test_a_million_steps_are_spelled_out():
    points = [(0, 0.00001), (1_200_000, 0.00002)]
    chart = line_chart({"training": points}, "step", "learning rate")
    labels = [label for _, label in chart.axes.x_ticks]
    assert labels == ["0", "500,000", "1,000,000"]
    assert chart.lines[0].dots[1][1] == "training, step 1,200,000: 2e-05"
    assert chart.axes.y_ticks[-1][1] == "2e-05"


def test_nothing_to_draw():
    assert line_chart({"training": []}, "step", "loss") is None
    assert line_chart({"training": [(1, math.inf)]}, "step", "loss") is None
    assert scatter_chart([math.nan], [1.0], "both") is None


def test_scatter_chart():
    chart = _drawn(scatter_chart([0, 5], [0, 5], "both"))
    dots = [
        (float(dot.attributes["cx"]), float(dot.attributes["cy"]))
        for dot in chart.all("circle")
    ]
    (line,) = chart.all("line", "equal")
    x1, y1, x2, y2 = (float(line.attributes[k]) for k in ("x1", "y1", "x2", "y2"))
    for x, y in dots:  # equal numbers lie on the line of equals
        assert (y - y1) / (y2 - y1) == pytest.approx((x - x1) / (x2 - x1), abs=0.01)
    assert dots[0][0] < dots[1][0] and dots[0][1] > dots[1][1]


def test_scatter_chart_of_many():
    chart = _drawn(scatter_chart(range(4001), range(4001), "both"))
    assert len(chart.all("circle")) == 1334
    assert chart.all("figcaption")[0].text == "both (one of 3 examples drawn)"
