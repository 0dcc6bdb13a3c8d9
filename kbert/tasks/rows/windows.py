"""Windows over texts that are longer than the model."""

import numpy as np


def windows(lengths, room, stride) -> tuple[np.ndarray, np.ndarray]:
    """Windows of at most `room` tokens over texts.

    As google-research/bert's run_squad.py lays them: each `stride` tokens after the one
    before, the last one ends with the text. A text that fits has one window; an empty
    text has one, empty.

        >>> rows, spans = windows([10, 2], room=4, stride=3)
        >>> rows.tolist(), spans.tolist()
        ([0, 0, 0, 1], [[0, 4], [3, 7], [6, 10], [0, 2]])

    Args:
        lengths: int (B,), tokens of each text.
        room, stride: int (B,), or one for all.

    Returns: int64 (W,), the text of each window; and int64 (W, 2), its first token and
        one past its last, counted in that text.

    Raises:
        ValueError: not 1 <= stride <= room: tokens would be left out.
    """
    lengths = np.asarray(lengths, "int64")
    room, stride = (np.broadcast_to(x, lengths.shape) for x in (room, stride))
    for wrong in np.flatnonzero((stride < 1) | (stride > room))[:1]:
        raise ValueError(
            f"Expected a stride of 1 to {room[wrong]} tokens, the room of a window; "
            f"got {stride[wrong]}."
        )
    counts = 1 + np.maximum(0, -(-(lengths - room) // stride))
    rows = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = number * stride[rows]
    return rows, np.stack([starts, np.minimum(starts + room[rows], lengths[rows])], 1)


def nearest_window(spans: np.ndarray) -> np.ndarray:
    """For each token the window in which it has most context, int64 (num_tokens,).

    Context is the smaller of the numbers of tokens to the left and to the right within
    the window, plus a hundredth of the window's length; the first of equals, as in
    google-research/bert's `_check_is_max_context`.

        >>> nearest_window(np.array([[0, 4], [3, 7], [6, 10]])).tolist()
        [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]

    Args:
        spans: int (W, 2), of one text; or of many texts that stand end to end on one
            line of tokens, with places on that line.
    """
    starts, limits = spans.T
    num_tokens = limits[-1]
    # The first and the last window over each token; a book has thousands of others.
    first = np.cumsum(np.bincount(limits, minlength=num_tokens + 1)[:num_tokens])
    last = np.cumsum(np.bincount(starts, minlength=num_tokens + 1)[:num_tokens]) - 1
    best = first.copy()
    place = np.flatnonzero(last > first)
    first, last = first[place], last[place]
    best_score = np.full(len(place), -1.0)
    for step in range((last - first).max(initial=-1) + 1):
        window = np.minimum(first + step, last)
        begin, end = starts[window], limits[window]
        score = np.minimum(place - begin, end - 1 - place) + 0.01 * (end - begin)
        is_better = score > best_score
        best[place[is_better]] = window[is_better]
        best_score[is_better] = score[is_better]
    return best
