"""Windows over texts that are longer than the model."""

import numpy as np


def windows(num_tokens: int, room: int, stride: int) -> np.ndarray:
    """[start, limit) of windows of at most `room` tokens, int64 (W, 2).

    As google-research/bert's run_squad.py lays them: each `stride` tokens after the one
    before, the last one ends with the text. A text that fits has one window; an empty
    text has one, empty.

        >>> windows(10, room=4, stride=3).tolist()
        [[0, 4], [3, 7], [6, 10]]

    Raises:
        ValueError: not 1 <= stride <= room: tokens would be left out.
    """
    if not 1 <= stride <= room:
        raise ValueError(
            f"Expected a stride of 1 to {room} tokens, the room of a window; got "
            f"{stride}."
        )
    count = 1 + max(0, -(-(num_tokens - room) // stride))
    starts = np.arange(count) * stride
    return np.stack([starts, np.minimum(starts + room, num_tokens)], axis=1)


def nearest_window(spans: np.ndarray) -> np.ndarray:
    """For each token the window in which it has most context, int64 (num_tokens,).

    Context is the smaller of the numbers of tokens to the left and to the right within
    the window, plus a hundredth of the window's length; the first of equals, as in
    google-research/bert's `_check_is_max_context`.

        >>> nearest_window(np.array([[0, 4], [3, 7], [6, 10]])).tolist()
        [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    """
    place = np.arange(spans[-1, 1])
    starts, limits = spans.T
    # Only the few windows over a token are compared, as a book has thousands of them.
    first = np.searchsorted(limits, place, "right")
    last = np.searchsorted(starts, place, "right") - 1
    best, best_score = first.copy(), np.full(len(place), -1.0)
    for step in range((last - first).max(initial=0) + 1):
        window = np.minimum(first + step, last)
        begin, end = starts[window], limits[window]
        score = np.minimum(place - begin, end - 1 - place) + 0.01 * (end - begin)
        is_better = score > best_score
        best[is_better] = window[is_better]
        best_score[is_better] = score[is_better]
    return best
