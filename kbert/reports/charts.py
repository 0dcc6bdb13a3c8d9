"""Line and scatter charts as SVG, small enough to stand within a page."""

import math
from collections.abc import Mapping, Sequence

from kbert.reports.parts import Html, number, tag

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40  # room for the numbers at the axes
_SIDE = 420  # of the square that a scatter chart is
_MOST_POINTS = 300  # of a line; more cannot be told apart at this width
_MOST_DOTS = 40  # a line of more points is drawn without dots
_SCATTERED = 2000  # dots of a scatter chart; more make the page slow


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from `low` to `high`, steps of 1, 2 or 5 times a power of ten.

    0, 1 -> 0 0.2 0.4 0.6 0.8 1; 17, 93 -> 20 40 60 80
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def thinned(points: Sequence[tuple[float, float]], most: int) -> list:
    """At most `most` points, each the mean of as many neighbours.

    (1, 8) (2, 6) (3, 4) (4, 2), most 2 -> (1.5, 7) (3.5, 3)
    """
    size = -(-len(points) // most)
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [tuple(sum(axis) / len(chunk) for axis in zip(*chunk)) for chunk in chunks]


def line_chart(
    points: Sequence[tuple[float, float]],
    x_name: str,
    caption: str,
    mark_highest: bool = False,
) -> Html:
    """A line through (x, y), axes with round numbers, in a figure with a caption.

    Points that are not finite are left out; many points are averaged in groups.

    Args:
        points: in the order of x.
        x_name: what the x axis says.
        caption: what the line is.
        mark_highest: put a ring around the highest point.
    """
    points = [p for p in points if all(map(math.isfinite, p))]
    highest = max(points, key=lambda point: point[1]) if points else None
    ring = highest if mark_highest else None
    return lines_chart({"": points}, x_name, caption, ring)


def lines_chart(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_name: str,
    caption: str,
    ring: tuple[float, float] | None = None,
) -> Html:
    """Lines on the same axes, and a legend where there is more than one.

    Points that are not finite are left out; many points are averaged in groups.

    Args:
        lines: the points of each, in the order of x, by the names in the legend: the
            line "held-out" has a colour of its own.
        x_name: what the x axis says.
        caption: what the lines are.
        ring: a point of a line to put a ring around.
    """
    finite = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in lines.items()
    }
    drawn = {
        name: thinned(points, _MOST_POINTS) for name, points in finite.items() if points
    }
    if not drawn:
        return Html()
    seen = [point for points in drawn.values() for point in points]
    seen += [ring] if ring else []
    ends = [point[0] for points in finite.values() for point in points]
    x_range = _range(ends, share=0.02)
    y_range = _range([y for _, y in seen], share=0.08)
    place = _scale(x_range, y_range, _WIDTH, _HEIGHT)
    pieces = [_axes(place, x_range, y_range, _WIDTH, _HEIGHT, x_name)]
    for name, points in drawn.items():
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        pieces.append(tag("polyline", points=path, class_=f"line {name}".strip()))
        if len(points) <= _MOST_DOTS:
            start = f"{name}, {x_name}" if name else x_name
            dots = [
                _dot(place, x, y, f"{start} {x:,g}: {number(y)}") for x, y in points
            ]
            pieces.append(tag("g", *dots, class_=name or None))
    if ring:
        cx, cy = place(*ring)
        pieces.append(
            tag("circle", cx=f"{cx:.1f}", cy=f"{cy:.1f}", r="6", class_="ring")
        )
    names = drawn if len(drawn) > 1 else ()
    legend = [tag("span", name, class_=f"key {name}") for name in names]
    return _figure(pieces, _WIDTH, _HEIGHT, caption, legend=legend)


def scatter_chart(
    gold: Sequence[float], predicted: Sequence[float], caption: str
) -> Html:
    """Gold numbers to the right, predicted ones upwards, and the line of equals.

    Of more than 2,000 pairs, evenly spaced ones are drawn; the caption says so.
    """
    pairs = [p for p in zip(gold, predicted, strict=True) if all(map(math.isfinite, p))]
    if not pairs:
        return Html()
    every = -(-len(pairs) // _SCATTERED)
    both = _range([value for pair in pairs for value in pair], share=0.04)
    place = _scale(both, both, _SIDE, _SIDE)
    ends = [*place(both[0], both[0]), *place(both[1], both[1])]
    names = ("x1", "y1", "x2", "y2")
    ends = {name: f"{value:.1f}" for name, value in zip(names, ends)}
    pieces = [
        _axes(place, both, both, _SIDE, _SIDE, "gold"),
        tag("line", **ends, class_="equal"),
    ]
    for x, y in pairs[::every]:
        cx, cy = place(x, y)
        pieces.append(tag("circle", cx=f"{cx:.1f}", cy=f"{cy:.1f}", r="3"))
    if every > 1:
        caption += f" (one of {every} examples drawn)"
    return _figure(pieces, _SIDE, _SIDE, caption, class_="scatter")


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
            _LEFT + across * (width - _LEFT - _RIGHT),
            height - _BOTTOM - up * (height - _TOP - _BOTTOM),
        )

    return place


def _axes(place, x_range, y_range, width, height, x_name):
    """Grid lines with their numbers, and the name of the x axis."""
    pieces = []
    foot = height - _BOTTOM
    for value in ticks(*y_range):
        y = f"{place(x_range[0], value)[1]:.1f}"
        pieces.append(tag("line", x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y))
        label = {"x": _LEFT - 6, "y": y, "dy": "0.35em", "text_anchor": "end"}
        pieces.append(tag("text", f"{value:,g}", **label))
    for value in ticks(*x_range):
        x = f"{place(value, y_range[0])[0]:.1f}"
        pieces.append(tag("line", x1=x, x2=x, y1=foot, y2=foot + 4))
        label = {"x": x, "y": foot + 16, "text_anchor": "middle"}
        pieces.append(tag("text", f"{value:,g}", **label))
    middle = (_LEFT + width - _RIGHT) / 2
    pieces.append(
        tag("text", x_name, x=middle, y=height - 5, text_anchor="middle", class_="name")
    )
    return tag("g", *pieces, class_="axes")


def _dot(place, x, y, title):
    cx, cy = place(x, y)
    return tag("circle", tag("title", title), cx=f"{cx:.1f}", cy=f"{cy:.1f}", r="3")


def _figure(pieces, width, height, caption, class_="chart", legend=()):
    svg = tag(
        "svg",
        *pieces,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=caption,
    )
    spaced = [piece for key in legend for piece in (" ", key)]
    return tag("figure", tag("figcaption", caption, *spaced), svg, class_=class_)
