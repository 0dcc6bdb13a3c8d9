"""Pieces of HTML that the report is put together from: tags, tables, marked texts."""

import html
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

# Scores that lie between 0 and 1 often, but are no shares of anything.
_NOT_SHARES = ("pearson", "spearman", "matthews", "mcc", "loss", "error", "mse", "mae")
_NOT_SHARES += ("threshold", "diff")
_SPELLED = {
    "f1": "F1",
    "klue": "KLUE",
    "korquad": "KorQuAD",
    "lm": "LM",
    "mae": "MAE",
    "matthews": "Matthews",
    "mcc": "MCC",
    "mse": "MSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
_BETWEEN_EXCERPTS = " … "


class Html(str):
    """A string that is HTML already; every other string is escaped by `tag`."""


def tag(name: str, *content, **attributes) -> Html:
    """One element; content and attributes are escaped unless they are `Html`.

    `class_` is the attribute `class`, `data_kind` is `data-kind`; an attribute that is
    None is left out.

        tag("b", "1 < 2", class_="big") -> <b class="big">1 &lt; 2</b>
    """
    opening = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{opening}>{joined(content)}</{name}>")


def joined(content: Iterable) -> Html:
    """Pieces end to end, escaped unless they are `Html`."""
    return Html(
        "".join(
            str(piece) if isinstance(piece, Html) else html.escape(str(piece))
            for piece in content
        )
    )


def percent(share: float) -> str:
    """0.87654 -> 87.65%; what is not a number is a dash."""
    return "–" if math.isnan(share) else f"{share:.2%}"


def number(value: float) -> str:
    """1234 -> 1,234; 0.87654 -> 0.8765; what is not a number is a dash."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.2f}"


def score(name: str, value: float) -> str:
    """Shares as percent, all else as a number.

    accuracy 0.87654 -> 87.65%; pearson 0.87654 -> 0.8765; num_examples 500 -> 500
    """
    is_share = not isinstance(value, int) and not any(
        part in name.lower() for part in _NOT_SHARES
    )
    return percent(value) if is_share and 0 <= value <= 1 else number(value)


def words(name: str) -> str:
    """A score's name in words: entity_f1 -> entity F1."""
    return " ".join(_SPELLED.get(word, word) for word in name.split("_"))


def section(title: str, *content, note: str | None = None) -> Html:
    """A heading, a line that explains, and what follows."""
    explained = tag("p", note, class_="note") if note else Html()
    return tag("section", tag("h2", title), explained, *content)


def table(header: Sequence[str], rows: Iterable[Sequence], texts: int = 1) -> Html:
    """A table whose first `texts` columns are words, the others numbers, to the right.

    Rows hold strings, or `Html` made by `tag`.
    """

    def row(name, cells):
        return tag(
            "tr",
            *(
                tag(name, cell, class_="word" if i < texts else "number")
                for i, cell in enumerate(cells)
            ),
        )

    body = tag("tbody", *(row("td", cells) for cells in rows))
    inner = tag("table", tag("thead", row("th", header)), body)
    return tag("div", inner, class_="scroll", tabindex="0")


def fact(value) -> Html:
    """Whatever a caller knows, to be read: dicts line by line, without what is None."""
    if isinstance(value, Mapping):
        lines = [
            tag("div", f"{key}: ", fact(inner))
            for key, inner in value.items()
            if inner is not None
        ]
        return joined(lines)
    if isinstance(value, (list, tuple)):
        return joined([", ".join(map(str, value))])
    return joined([value])


def cut(text: str, longest: int) -> str:
    """The beginning of a text that is too long, and how much more there is.

    abcdefgh, 5 -> abcde … (3 more characters)
    """
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def excerpts(
    num_characters: int, spans: Iterable[tuple[int, int]], around: int, whole: int
) -> list[tuple[int, int]]:
    """[start, limit) of what to show of a long text: spans and what surrounds them.

        100 characters, spans [20, 25) [60, 61), around 5, whole 50 -> [15, 30) [55, 66)

    Args:
        num_characters: length of the text.
        spans: what must be seen.
        around: characters to keep on either side of each span.
        whole: texts of up to so many characters are shown from end to end; of longer
            ones without a span, so many characters are shown.
    """
    spans = sorted(spans)
    if num_characters <= whole or not spans:
        return [(0, min(num_characters, whole))]
    found = []
    for start, limit in spans:
        start, limit = max(0, start - around), min(num_characters, limit + around)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], limit))
        else:
            found.append((start, limit))
    return found


def marked_text(
    text: str,
    marks: Sequence[tuple[int, int, str, str]],
    seen: Sequence[tuple[int, int]],
    around: int,
    whole: int,
) -> Html:
    """A text with spans marked, cut to what must be seen if it is long.

    Where marks overlap, the piece that they share has the classes of both; a label
    stands behind the last piece of its span.

        "abcd", (0, 2, "gold", "PS"), (1, 3, "wrong", "OG")
            -> <mark class="gold">a</mark>
               <mark class="gold wrong" data-label="PS">b</mark>
               <mark class="wrong" data-label="OG">c</mark> d

    Args:
        text: any text.
        marks: (start, limit, class, label) in characters; the label "" is none.
        seen, around, whole: what is shown of a long text; see `excerpts`.
    """
    marks = [mark for mark in marks if mark[0] < mark[1]]
    shown = excerpts(len(text), seen, around, whole)
    pieces = []
    for start, limit in shown:
        if start > 0:
            pieces.append(_BETWEEN_EXCERPTS)
        edges = {start, limit}
        edges |= {edge for mark in marks for edge in mark[:2] if start < edge < limit}
        pairs = itertools.pairwise(sorted(edges))
        pieces += [_piece(text, *pair, marks) for pair in pairs]
    if shown[-1][1] < len(text):
        pieces.append(_BETWEEN_EXCERPTS)
    return joined(pieces)


def _piece(text, start, limit, marks):
    covering = [mark for mark in marks if mark[0] <= start and limit <= mark[1]]
    if not covering:
        return text[start:limit]
    labels = [mark[3] for mark in covering if mark[1] == limit and mark[3]]
    return tag(
        "mark",
        text[start:limit],
        class_=" ".join(dict.fromkeys(mark[2] for mark in covering)),
        data_label=" ".join(labels) or None,
    )
