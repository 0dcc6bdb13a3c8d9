"""Windows over long texts: nothing left out, and the rule of most context."""

import numpy as np
import pytest

from kbert.tasks.rows.windows import nearest_window, windows


def test_worked_example():
    rows, spans = windows([10, 2], 4, 3)
    assert rows.tolist() == [0, 0, 0, 1]
    assert spans.tolist() == [[0, 4], [3, 7], [6, 10], [0, 2]]
    assert rows.dtype == spans.dtype == "int64"
    assert nearest_window(spans[:3]).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_no_texts():
    rows, spans = windows([], 4, 3)
    assert rows.shape == (0,) and spans.shape == (0, 2)


def test_texts_end_to_end_are_as_each_alone():
    rng = np.random.default_rng(1)
    for _ in range(50):
        lengths = rng.integers(0, 40, 9) * rng.integers(0, 2, 9)
        room = rng.integers(1, 20, 9)
        stride = rng.integers(1, room + 1)
        rows, spans = windows(lengths, room, stride)
        nearest, first = [], 0
        for i, text in enumerate(zip(lengths, room, stride)):
            alone = windows([text[0]], *text[1:])[1]
            assert spans[rows == i].tolist() == alone.tolist()
            nearest += (first + nearest_window(alone)).tolist()
            first += len(alone)
        line = spans + (np.cumsum(lengths) - lengths)[rows][:, None]
        assert nearest_window(line).tolist() == nearest


@pytest.mark.parametrize(
    "num_tokens, spans",
    [
        (0, [[0, 0]]),
        (1, [[0, 1]]),
        (4, [[0, 4]]),
        (5, [[0, 4], [2, 5]]),
        (6, [[0, 4], [2, 6]]),
    ],
)
def test_short_texts(num_tokens, spans):
    assert windows([num_tokens], 4, 2)[1].tolist() == spans
    nearest = nearest_window(np.array(spans))
    assert nearest.shape == (num_tokens,)


def spans_of_run_squad(num_tokens, room, stride):
    """The loop of google-research/bert's `convert_examples_to_features`."""
    spans, start = [], 0
    while True:
        length = min(num_tokens - start, room)
        spans.append([start, start + length])
        if start + length == num_tokens:
            return spans
        start += min(length, stride)


def is_max_context(spans, place):
    """The window of `_check_is_max_context`, token by token."""
    best, best_score = None, None
    for number, (start, limit) in enumerate(spans):
        if not start <= place < limit:
            continue
        score = min(place - start, limit - 1 - place) + 0.01 * (limit - start)
        if best_score is None or score > best_score:
            best, best_score = number, score
    return best


def test_random_texts_equal_run_squad():
    rng = np.random.default_rng(0)
    for _ in range(200):
        num_tokens, room = rng.integers(1, 60), rng.integers(1, 20)
        stride = rng.integers(1, room + 1)
        spans = windows([num_tokens], room, stride)[1]
        assert spans.tolist() == spans_of_run_squad(num_tokens, room, stride)
        expected = [is_max_context(spans.tolist(), i) for i in range(num_tokens)]
        assert nearest_window(spans).tolist() == expected


def test_a_book_takes_little_memory():
    # 15,873 windows; a bool for each pair would take 15 GB
    spans = windows([1_000_000], 126, 63)[1]
    nearest = nearest_window(spans)
    assert (np.diff(nearest) >= 0).all()
    assert np.bincount(nearest).max() <= 126


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_that_leaves_tokens_out(stride):
    with pytest.raises(ValueError, match=f"stride of 1 to 4 tokens.*got {stride}"):
        windows([3, 10], 4, [4, stride])
