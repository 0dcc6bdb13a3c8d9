"""Characters to tokens, and n-best lists against the loops of run_squad.py."""

import collections

import numpy as np
import pytest

from kbert.tasks.questions.answer_spans import best_spans, covering_tokens, n_best_list
from kbert.tasks.rows.windows import windows


@pytest.mark.parametrize(
    "start, limit, expected",
    [
        (3, 8, (1, 2)),
        (4, 6, (1, 1)),
        (2, 3, (1, 0)),  # white space alone
        (2, 4, (1, 1)),
        (0, 9, (0, 3)),
        (8, 9, (3, 3)),
        (9, 12, (4, 3)),
    ],
)
def test_covering_tokens(start, limit, expected):
    starts, limits = np.array([0, 3, 6, 8]), np.array([2, 6, 8, 9])
    assert covering_tokens(starts, limits, start, limit) == expected


def test_covering_tokens_of_syllables_taken_apart():
    # One syllable as three tokens, then another as two: the first of each holds it.
    starts, limits = np.array([0, 1, 1, 1, 2]), np.array([1, 1, 1, 2, 2])
    assert covering_tokens(starts, limits, 0, 1) == (0, 0)
    assert covering_tokens(starts, limits, 1, 2) == (3, 3)
    assert covering_tokens(starts, limits, 0, 2) == (0, 3)


def test_best_spans_example():
    spans = best_spans(
        np.array([[0, 3]]), [np.array([5.0, 1, 4])], [np.array([3.0, 2, 0])], 2, 30
    )
    assert spans.first.tolist() == [0, 0]
    assert spans.last.tolist() == [0, 1]
    assert spans.start_logit.tolist() == [5, 5]
    assert spans.end_logit.tolist() == [3, 2]


def test_n_best_example():
    starts, limits = np.array([0, 2, 4]), np.array([1, 3, 5])
    spans = best_spans(
        np.array([[0, 3]]), [np.array([1.0, 0, 0])], [np.array([1.0, 1, 1])], 3, 1
    )
    first, second = n_best_list("a b a", starts, limits, spans, 20)
    assert first["probability"] == pytest.approx(0.7311, abs=1e-4)
    assert second["probability"] == pytest.approx(0.2689, abs=1e-4)
    del first["probability"], second["probability"]
    assert first == {
        "text": "a",
        "start": 0,
        "end": 1,
        "start_logit": 1.0,
        "end_logit": 1.0,
    }
    assert second == first | {"text": "b", "start": 2, "end": 3, "start_logit": 0.0}


def run_squad(text, offsets, spans, starts, ends, n_best, longest, null):
    """The loops of run_squad.py, over the tokens of the context alone."""
    Prediction = collections.namedtuple("Prediction", "window first last start end")

    def best_indexes(logits):
        ranked = sorted(enumerate(logits), key=lambda pair: pair[1], reverse=True)
        return [index for index, _ in ranked[:n_best]]

    def has_most_context(window, token):
        best_score, best_window = None, None
        for w, (start, limit) in enumerate(spans):
            if not start <= token < limit:
                continue
            left, right = token - start, limit - 1 - token
            score = min(left, right) + 0.01 * (limit - start)
            if best_score is None or score > best_score:
                best_score, best_window = score, w
        return window == best_window

    found = []
    for w, (begin, _) in enumerate(spans):
        for start in best_indexes(starts[w]):
            for end in best_indexes(ends[w]):
                if not has_most_context(w, begin + start):
                    continue
                if end < start or end - start + 1 > longest:
                    continue
                scores = float(starts[w][start]), float(ends[w][end])
                found.append(Prediction(w, begin + start, begin + end, *scores))
    if null is not None:
        found.append(Prediction(None, None, None, *null))
    found = sorted(found, key=lambda p: p.start + p.end, reverse=True)
    seen, listed = set(), []
    for p in found:
        if len(listed) >= n_best:
            break
        is_null = p.window is None
        answer = "" if is_null else text[offsets[p.first][0] : offsets[p.last][1]]
        if answer in seen:
            continue
        seen.add(answer)
        listed.append((answer, p.start, p.end))
    if null is not None and "" not in seen:
        listed.append(("", *null))
    odds = [np.exp(start + end) for _, start, end in listed]
    return listed, [value / sum(odds) for value in odds]


@pytest.mark.parametrize("has_null", [False, True])
@pytest.mark.parametrize("rounded", [False, True])
def test_n_best_as_run_squad(has_null, rounded):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        words = rng.choice([*"abc", "dd", "가나"], rng.integers(1, 60)).tolist()
        text = " ".join(words)
        limits = np.cumsum([len(word) + 1 for word in words]) - 1
        token_starts = limits - [len(word) for word in words]
        room = int(rng.integers(4, 30))
        stride = int(rng.integers(1, room + 1))
        _, spans = windows([len(words)], room, stride)
        starts, ends = (
            [rng.normal(size=b - a).astype("float32") * 2 for a, b in spans]
            for _ in range(2)
        )
        if rounded:  # many ties
            starts, ends = ([np.round(x) for x in part] for part in (starts, ends))
        null = tuple(np.round(rng.normal(size=2) * 2, 1).tolist()) if has_null else None
        n_best, longest = int(rng.integers(1, 25)), int(rng.integers(1, 12))
        ranked = best_spans(spans, starts, ends, n_best, longest)
        got = n_best_list(text, token_starts, limits, ranked, n_best, null)
        offsets = list(zip(token_starts, limits, strict=True))
        expected, odds = run_squad(
            text, offsets, spans.tolist(), starts, ends, n_best, longest, null
        )
        listed = [(e["text"], e["start_logit"], e["end_logit"]) for e in got]
        assert listed == expected
        assert [e["probability"] for e in got] == pytest.approx(odds)
        for entry in got:
            assert entry["text"] == (
                "" if entry["start"] is None else text[entry["start"] : entry["end"]]
            )


def test_a_text_without_tokens():
    nothing = [np.zeros(0, "float32")]
    spans = best_spans(windows([0], 5, 5)[1], nothing, nothing, 20, 30)
    assert n_best_list("\u200b", np.zeros(0), np.zeros(0), spans, 20) == []
    (entry,) = n_best_list("\u200b", np.zeros(0), np.zeros(0), spans, 20, (1.0, 2.0))
    assert entry["text"] == "" and entry["start"] is None
    assert entry["probability"] == 1


def test_a_token_without_text_is_no_answer():
    starts, limits = np.array([0, 0, 1]), np.array([0, 1, 1])  # "▁", "a", and a rest
    one = [np.array([3.0, 2.0, 1.0])]
    spans = best_spans(np.array([[0, 3]]), one, one, 3, 1)
    (entry,) = n_best_list("a", starts, limits, spans, 3)
    assert (entry["text"], entry["start"], entry["end"]) == ("a", 0, 1)


def test_large_logits_give_probabilities():
    huge = [np.array([2e4, -2e4], "float32")]
    spans = best_spans(np.array([[0, 2]]), huge, huge, 2, 1)
    entries = n_best_list("a b", np.array([0, 2]), np.array([1, 3]), spans, 2)
    assert [entry["probability"] for entry in entries] == [1.0, 0.0]
