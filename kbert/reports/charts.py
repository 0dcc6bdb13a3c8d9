"""Line and scatter charts: what stands where, for templates to draw as SVG."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from kbert.reports.wording import number

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40  # room for the numbers at the axes
_SIDE = 420  # of the square that a scatter chart is
_MOST_POINTS = 300  # of a line; more cannot be told apart at this width
_MOST_DOTS = 40  # a line of more points is drawn without dots
_SCATTERED = 2000  # dots of a scatter chart; more make the page slow


Place = tuple[float, float]  # across and down, in units of the chart's view box


@dataclasses.dataclass(frozen=True)
class Axes:
    """Lines and numbers around a chart.

    Attributes:
        left, right, foot: edges of what is drawn.
        x_name: what stands below the x axis.
        x_ticks, y_ticks: (place, number) along either axis.
    """

    left: float
    right: float
    foot: float
    x_name: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: in the legend, "training" or "held-out"; it gives the colour, too.
        points: what the line runs through.
        dots: (place, title) of each point that is seen; none of very many points.
    """

    name: str
    points: list[Place]
    dots: list[tuple[Place, str]]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of lines or of dots.

    Attributes:
        kind: "chart" or "scatter".
        caption: what is drawn.
        width, height: of the view box.
        ring: a place to put a ring around.
        diagonal: both ends of a line of equals.
    """

    kind: str
    caption: str
    width: int
    height: int
    axes: Axes
    lines: Sequence[Line] = ()
    dots: Sequence[Place] = ()
    ring: Place | None = None
    diagonal: tuple[Place, Place] | None = None


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from `low` to `high`, steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 1), ticks(17, 93)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [20.0, 40.0, 60.0, 80.0])
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def thinned(points: Sequence[tuple[float, float]], most: int) -> list:
    """At most `most` points, each the mean of as many neighbours.

    >>> thinned([(1, 8), (2, 6), (3, 4), (4, 2)], most=2)
    [(1.5, 7.0), (3.5, 3.0)]
    """
    size = -(-len(points) // most)
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [tuple(sum(axis) / len(chunk) for axis in zip(*chunk)) for chunk in chunks]


def line_chart(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_name: str,
    caption: str,
    ring: tuple[float, float] | None = None,
) -> Chart | None:
    """Lines on the same axes, which have round numbers; None if there is nothing.

    Points that are not finite are left out; many points are averaged in groups.

    Args:
        lines: the points of each, in the order of x, by name; see `Line`.
        x_name: what the x axis says.
        caption: what the lines are.
        ring: a point to put a ring around.
    """
    finite = {name: _finite(points) for name, points in lines.items()}
    drawn = {
        name: thinned(points, _MOST_POINTS) for name, points in finite.items() if points
    }
    if not drawn:
        return None
    x_range = _range([x for points in finite.values() for x, _ in points], share=0.02)
    y_values = [y for points in drawn.values() for _, y in points]
    y_range = _range(y_values + ([ring[1]] if ring else []), share=0.08)
    place = _scale(x_range, y_range, _WIDTH, _HEIGHT)
    return Chart(
        "chart",
        caption,
        _WIDTH,
        _HEIGHT,
        _axes(place, x_range, y_range, _WIDTH, _HEIGHT, x_name),
        lines=[_line(place, name, points, x_name) for name, points in drawn.items()],
        ring=place(*ring) if ring else None,
    )


def scatter_chart(
    gold: Sequence[float], predicted: Sequence[float], caption: str
) -> Chart | None:
    """Gold numbers to the right, predicted ones upwards, and the line of equals.

    Of more than 2,000 pairs, evenly spaced ones are drawn; the caption says so. None if
    there is nothing to draw.
    """
    pairs = _finite(zip(gold, predicted, strict=True))
    if not pairs:
        return None
    every = -(-len(pairs) // _SCATTERED)
    both = _range([value for pair in pairs for value in pair], share=0.04)
    place = _scale(both, both, _SIDE, _SIDE)
    return Chart(
        "scatter",
        caption if every == 1 else f"{caption} (one of {every} examples drawn)",
        _SIDE,
        _SIDE,
        _axes(place, both, both, _SIDE, _SIDE, "gold"),
        dots=[place(*pair) for pair in pairs[::every]],
        diagonal=(place(both[0], both[0]), place(both[1], both[1])),
    )


def _finite(points):
    return [point for point in points if all(map(math.isfinite, point))]


def _line(place, name, points, x_name):
    places = [place(*point) for point in points]
    titles = [f"{name}, {x_name} {_plain(x)}: {number(y)}" for x, y in points]
    dots = zip(places, titles, strict=True) if len(points) <= _MOST_DOTS else ()
    return Line(name, places, list(dots))


def _range(values, share):
    """Lowest and highest with a margin; never of length 0."""
    low, high = min(values), max(values)
    margin = share * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _scale(x_range, y_range, width, height):
    """From values to places in the chart; y grows upwards."""

    def place(x, y):
        across = (x - x_range[0]) / (x_range[1] - x_range[0])
        up = (y - y_range[0]) / (y_range[1] - y_range[0])
        return (
            round(_LEFT + across * (width - _LEFT - _RIGHT), 1),
            round(height - _BOTTOM - up * (height - _TOP - _BOTTOM), 1),
        )

    return place


def _axes(place, x_range, y_range, width, height, x_name):
    """Round numbers along the axes, and where they stand."""
    return Axes(
        left=_LEFT,
        right=width - _RIGHT,
        foot=height - _BOTTOM,
        x_name=x_name,
        x_ticks=[(place(x, y_range[0])[0], _plain(x)) for x in ticks(*x_range, most=5)],
        y_ticks=[(place(x_range[0], y)[1], _plain(y)) for y in ticks(*y_range)],
    )


def _plain(value):
    """A number as it stands beside an axis.

    >>> _plain(1200000.0), _plain(0.00002)
    ('1,200,000', '2e-05')
    """
    return f"{value:,.10g}"
