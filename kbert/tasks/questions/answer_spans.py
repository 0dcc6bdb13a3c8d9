"""Answers between characters and tokens, and the best of them by a model's logits.

google-research/bert's run_squad.py searches the answer's text anew in the context; here
an answer is a slice of the context from start to end, by the tokens' own places.
"""

import dataclasses

import numpy as np

from kbert.tasks.rows.windows import nearest_window


def covering_tokens(
    starts: np.ndarray, limits: np.ndarray, start: int, limit: int
) -> tuple[int, int]:
    """First and last of the tokens that hold the characters [start, limit) of a text.

    Of "to Seoul.", cut into to Seo ##ul . , "Seoul" has two, and "eo" is part of one:

        >>> starts, limits = np.array([0, 3, 6, 8]), np.array([2, 6, 8, 9])
        >>> covering_tokens(starts, limits, 3, 8), covering_tokens(starts, limits, 4, 6)
        ((1, 2), (1, 1))

    The first token ends behind `start`, the last begins before `limit`; first > last if
    nothing of the slice became a token.
    """
    first = np.searchsorted(limits, start, side="right")
    last = np.searchsorted(starts, limit, side="left") - 1
    return int(first), int(last)


@dataclasses.dataclass(frozen=True)
class Spans:
    """Candidate answers in one text, best first; all arrays are (K,).

    Attributes:
        first, last: int64, tokens of the text, both inclusive.
        start_logit, end_logit: float64.
    """

    first: np.ndarray
    last: np.ndarray
    start_logit: np.ndarray
    end_logit: np.ndarray


def best_spans(
    windows: np.ndarray,
    start_logits: list[np.ndarray],
    end_logits: list[np.ndarray],
    n_best: int,
    max_answer_length: int,
) -> Spans:
    """All pairs of good starts and good ends that make an answer, by the sum of logits.

    In one window of 3 tokens the best 2 starts are 0 and 2, the best 2 ends 0 and 1:

        >>> start_logits, end_logits = [np.array([5, 1, 4])], [np.array([3, 2, 0])]
        >>> spans = best_spans(np.array([[0, 3]]), start_logits, end_logits, 2, 30)
        >>> spans.first.tolist(), spans.last.tolist()
        ([0, 0], [0, 1])

    Taken are, of each window, the `n_best` starts and ends among the tokens of the
    text; a start counts only in the window where its token has most context, as in
    run_squad.py. Equals stand in the order of windows, starts and ends.

    Args:
        windows: int (W, 2), tokens [start, limit) of the text; see `windows`.
        start_logits, end_logits: for each window the logits of its tokens of the text,
            (limit - start,) each, and of no other tokens.
        n_best: starts and ends of each window, at least 1.
        max_answer_length: in tokens.
    """
    best_window = nearest_window(windows)
    found = []
    for i, (start, limit) in enumerate(windows):
        # A window's own order: the highest first, equals as they come.
        starts = np.argsort(-start_logits[i], kind="stable")[:n_best]
        ends = np.argsort(-end_logits[i], kind="stable")[:n_best]
        starts = starts[best_window[start:limit][starts] == i]
        length = ends - starts[:, None] + 1  # (starts, ends)
        row, column = np.nonzero((length >= 1) & (length <= max_answer_length))
        first, last = starts[row], ends[column]
        found.append(
            (start + first, start + last, start_logits[i][first], end_logits[i][last])
        )
    first, last, start_logit, end_logit = map(np.concatenate, zip(*found, strict=True))
    start_logit, end_logit = start_logit.astype("float64"), end_logit.astype("float64")
    order = np.argsort(-(start_logit + end_logit), kind="stable")
    return Spans(first[order], last[order], start_logit[order], end_logit[order])


def n_best_list(
    text: str,
    starts: np.ndarray,
    limits: np.ndarray,
    spans: Spans,
    n_best: int,
    no_answer: tuple[float, float] | None = None,
) -> list[dict]:
    """The best answers of different texts, with probabilities that add up to 1.

        >>> starts, tokens = np.array([0, 2, 4]), np.array([0, 2, 1])
        >>> spans = Spans(tokens, tokens, np.array([2, 1, 1]), np.zeros(3))
        >>> for answer in n_best_list("a b a", starts, starts + 1, spans, n_best=20):
        ...     print(answer["text"], answer["start"], round(answer["probability"], 2))
        a 0 0.73
        b 2 0.27

    Of equal texts the first stays. No answer ("", from None to None) takes its place by
    its sum, behind its equals; it is added at the end if `n_best` are better.

    Args:
        text: what the tokens were made of.
        starts, limits: int (tokens,), in characters.
        spans: of that text, best first.
        n_best: the most answers.
        no_answer: start and end logit of [CLS], where there may be no answer.

    Returns: dicts of text, start, end (in characters), start_logit, end_logit and
        probability, best first; none if there is no candidate.
    """
    entries, waiting = {}, no_answer
    for k in range(len(spans.first)):
        start_logit, end_logit = float(spans.start_logit[k]), float(spans.end_logit[k])
        if waiting is not None and sum(waiting) > start_logit + end_logit:
            entries[""] = _entry("", None, None, *waiting)
            waiting = None
        if len(entries) >= n_best:
            break
        start, end = int(starts[spans.first[k]]), int(limits[spans.last[k]])
        answer = text[start:end]
        # A token that nothing of the text belongs to is no answer.
        if answer.strip() and answer not in entries:
            entries[answer] = _entry(answer, start, end, start_logit, end_logit)
    if waiting is not None:
        entries[""] = _entry("", None, None, *waiting)
    entries = list(entries.values())
    sums = np.array([entry["start_logit"] + entry["end_logit"] for entry in entries])
    odds = np.exp(sums - sums.max(initial=-np.inf))
    for entry, share in zip(entries, odds / odds.sum(), strict=True):
        entry["probability"] = float(share)
    return entries


def _entry(text, start, end, start_logit, end_logit):
    return {
        "text": text,
        "start": start,
        "end": end,
        "start_logit": float(start_logit),
        "end_logit": float(end_logit),
    }
