"""Texts as the reports show them: spans marked, and of long texts what matters."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

_BETWEEN_EXCERPTS = " … "


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of a text.

    Attributes:
        text: its characters.
        kinds: what it is marked as, each a colour: "gold", "right" or "wrong".
        label: stands behind the piece; "" is none.
    """

    text: str
    kinds: tuple[str, ...] = ()
    label: str = ""


def excerpts(
    num_characters: int, spans: Iterable[tuple[int, int]], around: int, whole: int
) -> list[tuple[int, int]]:
    """[start, limit) of what to show of a long text: spans and what surrounds them.

        >>> excerpts(100, spans=[(20, 25), (60, 61)], around=5, whole=50)
        [(15, 30), (55, 66)]

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
) -> list[Piece]:
    """A text with spans marked, cut to what must be seen if it is long.

    Where marks overlap, the piece that they share has the kinds of both; a label stands
    behind the last piece of its span.

        >>> marks = [(0, 2, "gold", "PS"), (1, 3, "wrong", "OG")]
        >>> for piece in marked_text("abcd", marks, seen=[], around=5, whole=50):
        ...     print(piece)
        Piece(text='a', kinds=('gold',), label='')
        Piece(text='b', kinds=('gold', 'wrong'), label='PS')
        Piece(text='c', kinds=('wrong',), label='OG')
        Piece(text='d', kinds=(), label='')

    Args:
        text: any text.
        marks: (start, limit, kind, label) in characters; the label "" is none.
        seen, around, whole: what is shown of a long text; see `excerpts`.
    """
    marks = [mark for mark in marks if mark[0] < mark[1]]
    shown = excerpts(len(text), seen, around, whole)
    pieces = []
    for start, limit in shown:
        if start > 0:
            pieces.append(Piece(_BETWEEN_EXCERPTS))
        edges = {start, limit}
        edges |= {edge for mark in marks for edge in mark[:2] if start < edge < limit}
        pairs = itertools.pairwise(sorted(edges))
        pieces += [_piece(text, *pair, marks) for pair in pairs]
    if shown[-1][1] < len(text):
        pieces.append(Piece(_BETWEEN_EXCERPTS))
    return pieces


def _piece(text, start, limit, marks):
    covering = [mark for mark in marks if mark[0] <= start and limit <= mark[1]]
    labels = [mark[3] for mark in covering if mark[1] == limit and mark[3]]
    kinds = tuple(dict.fromkeys(mark[2] for mark in covering))
    return Piece(text[start:limit], kinds, " ".join(labels))
