"""The search of `tasks.questions.answer_spans` for the best answers, in the graph."""

import tensorflow as tf

from kbert.export.graph.windows import text_slices

# Odd, so that it has an inverse modulo 2^64.
_BASE = 0x9E3779B97F4A7C15 - 2**64
_INVERSE = pow(0x9E3779B97F4A7C15, -1, 2**64)
_INVERSE -= 2**64 if _INVERSE >= 2**63 else 0
_MIXERS = (-7046029254386353131, 0x2545F4914F6CDD1D)


def window_candidates(
    logits, place, first_token, lengths, nearest, n_best, max_answer_length
):
    """Pairs of good starts and good ends of each window, as `best_spans` takes them.

    The `n_best` starts and ends among a window's tokens of the text; a start counts
    only in the window where its token has most context.

    Args:
        logits: float32 (2, W, L), of starts and of ends.
        place: int32 (W,), where in its row a window begins.
        first_token: int32 (W,), the window's first token, in all texts end to end.
        lengths: int32 (W,), tokens of the window.
        nearest: int32 (tokens,), from `nearest_windows`.
        n_best, max_answer_length: ints.

    Returns: in the order of windows, starts and ends, (C,) each: `window`; `first` and
        `last`, tokens in all texts end to end, inclusive; `score`, float64, the sum of
        both logits.
    """
    column = tf.range(tf.shape(logits)[2])[None]
    inside = (column >= place[:, None]) & (column < (place + lengths)[:, None])
    logits = tf.where(inside[None], logits, -float("inf"))
    # Equals come in the order of their places, as in a stable sort.
    most = tf.minimum(n_best, tf.shape(logits)[2])
    values, columns = tf.math.top_k(logits, most)  # (2, W, n)
    tokens = columns - (place - first_token)[:, None]  # (2, W, n)
    is_there = values > -float("inf")
    window = tf.range(tf.shape(logits)[1])[:, None]
    # Places outside of a window are masked, but must be there to be looked up.
    last_token = tf.maximum(0, tf.size(nearest) - 1)
    padded = tf.concat([nearest, [-1]], axis=0)
    own = tf.gather(padded, tf.clip_by_value(tokens[0], 0, last_token)) == window
    starts, ends = tokens[0][:, :, None], tokens[1][:, None]  # (W, n, 1), (W, 1, n)
    length = ends - starts + 1
    is_answer = (length >= 1) & (length <= max_answer_length)
    is_answer &= (is_there[0] & own)[:, :, None] & is_there[1][:, None]
    chosen = tf.where(is_answer)  # (C, 3): window, start, end
    values = tf.cast(values, tf.float64)
    start, end = tf.gather(chosen, [0, 1], axis=1), tf.gather(chosen, [0, 2], axis=1)
    return {
        "window": tf.cast(chosen[:, 0], tf.int32),
        "first": tf.gather_nd(tokens[0], start),
        "last": tf.gather_nd(tokens[1], end),
        "score": tf.gather_nd(values[0], start) + tf.gather_nd(values[1], end),
    }


def best_candidates(points, rows, starts, ends, scores):
    """Candidates by text, the best first; of equal answers the first alone stays.

        >>> from kbert.export.graph.windows import code_points
        >>> best = best_candidates(
        ...     code_points(["a b a"]),
        ...     rows=tf.constant([0, 0, 0]),
        ...     starts=tf.constant([0, 4, 2]),
        ...     ends=tf.constant([1, 5, 3]),
        ...     scores=tf.constant([2.0, 1, 1], tf.float64),
        ... )
        >>> best["start"].numpy().tolist(), best["end"].numpy().tolist()
        ([0, 2], [1, 3])

    Args:
        points: ragged int32 (B, None), the characters of the texts.
        rows: int32 (C,), the text of each candidate.
        starts, ends: int32 (C,), in characters; one that is white space is no answer.
        scores: float64 (C,).

    Returns: a dict of what stays, sorted by row: `row`, `start`, `end`, `score`.
    """
    base = tf.cast(tf.gather(points.row_starts(), rows), tf.int32)
    inked = tf.cumsum(tf.cast(~_is_space(points.flat_values), tf.int32))
    inked = tf.concat([[0], inked], axis=0)
    ends = tf.maximum(starts, ends)
    has_ink = tf.gather(inked, base + ends) > tf.gather(inked, base + starts)
    keep = tf.where(has_ink)[:, 0]
    rows, starts, ends, scores, base = (
        tf.gather(x, keep) for x in (rows, starts, ends, scores, base)
    )
    # Two stable sorts: by score, then by row.
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(rows, order), stable=True))
    rows, starts, ends, scores, base = (
        tf.gather(x, order) for x in (rows, starts, ends, scores, base)
    )
    # A number for each text in place of 10^5 strings. That any two different ones of
    # 10^5 share it has a probability of 3e-10, if nobody made the text for it; the one
    # that scores less would not be listed.
    key = _slice_hashes(points.flat_values, base + starts, base + ends)
    key += tf.cast(ends - starts, tf.int64) * _MIXERS[0]
    key = key * _MIXERS[1] + tf.cast(rows, tf.int64) * _MIXERS[0]
    unique, number = tf.unique(key)  # in the order in which they come first
    place = tf.range(tf.size(number))
    kept = tf.math.unsorted_segment_min(place, number, tf.size(unique))
    names = ("row", "start", "end", "score")
    columns = (rows, starts, ends, scores)
    return {n: tf.gather(x, kept) for n, x in zip(names, columns, strict=True)}


def n_best_entries(points, candidates, num_rows, n_best, no_answer=None):
    """The best answers to each question with their shares, as `n_best_list` has them.

    No answer takes its place by its score, behind its equals; it is added at the end
    if `n_best` answers are better.

    Args:
        points: ragged int32 (B, None), the characters of the texts.
        candidates: from `best_candidates`.
        num_rows: B.
        n_best: the most answers.
        no_answer: float64 (B,), the score of no answer; None where there always is one.

    Returns: (B, N) each, N at least 1: `text` ("" for no answer and filling), `start`
        and `end` int32 (-1), `logit` float64, `score` float32 (0 for filling); and
        int32 (B,): `count`, and `no_answer_place`, where in a row no answer stands.
    """
    row, score = candidates["row"], candidates["score"]
    counts = tf.math.bincount(row, minlength=num_rows, maxlength=num_rows)  # (B,)
    rank = tf.range(tf.size(row)) - tf.gather(tf.cumsum(counts, exclusive=True), row)
    most = tf.fill([num_rows], n_best)
    place, added = tf.fill([num_rows], n_best), tf.zeros([num_rows], tf.int32)
    if no_answer is not None:
        is_better = score >= tf.gather(no_answer, row)
        better = tf.math.unsorted_segment_sum(
            tf.cast(is_better, tf.int32), row, num_rows
        )
        place = tf.minimum(better, n_best)
        most -= tf.cast(place < n_best, tf.int32)  # it takes the place of an answer
        added += 1
    kept = tf.where(rank < tf.gather(most, row))[:, 0]
    row, rank = tf.gather(row, kept), tf.gather(rank, kept)
    column = rank + tf.cast(rank >= tf.gather(place, row), tf.int32)
    count = tf.minimum(counts, most) + added
    width = tf.maximum(1, tf.reduce_max(count))
    # Which candidate stands at each place; past the last one, nothing does.
    number = tf.tensor_scatter_nd_update(
        tf.fill([num_rows, width], tf.size(kept)),
        tf.stack([row, column], axis=1),
        tf.range(tf.size(kept)),
    )
    start, end = (tf.gather(candidates[name], kept) for name in ("start", "end"))
    texts = text_slices(points, row, start, end)
    logit = tf.gather(tf.concat([tf.gather(score, kept), [-float("inf")]], 0), number)
    if no_answer is not None:
        here = tf.one_hot(place, width, on_value=True, off_value=False)  # (B, N)
        logit = tf.where(here, no_answer[:, None], logit)
    is_entry = tf.sequence_mask(count, width)
    highest = tf.reduce_max(logit, axis=1, keepdims=True)
    odds = tf.where(is_entry, tf.exp(logit - highest), 0.0)
    shares = tf.math.divide_no_nan(odds, tf.reduce_sum(odds, axis=1, keepdims=True))
    return {
        "text": tf.gather(tf.concat([texts, [""]], 0), number),
        "start": tf.gather(tf.concat([start, [-1]], 0), number),
        "end": tf.gather(tf.concat([end, [-1]], 0), number),
        "logit": logit,
        "score": tf.cast(shares, tf.float32),
        "count": count,
        "no_answer_place": tf.minimum(place, width - 1),
    }


def _slice_hashes(points, starts, ends):
    """A number for the characters [start, end) of a line of them, int64.

    With H[i] the sum of c[j] b^j over j < i, modulo 2^64, it is (H[end] - H[start])
    b^-start: equal slices have it in common, wherever they stand.
    """
    size = tf.size(points)

    def powers(base):
        ones = tf.fill([size + 1], tf.constant(base, tf.int64))
        return tf.math.cumprod(ones, exclusive=True)

    terms = (tf.cast(points, tf.int64) + 1) * powers(_BASE)[:-1]
    sums = tf.concat([[tf.constant(0, tf.int64)], tf.cumsum(terms)], axis=0)
    difference = tf.gather(sums, ends) - tf.gather(sums, starts)
    return difference * tf.gather(powers(_INVERSE), starts)


def _is_space(points):
    """Whether `str.strip` takes a character away, bool (N,)."""
    spaces = [chr(i).isspace() for i in range(0x3002)]  # the last one is U+3000
    return tf.gather(tf.constant(spaces), tf.minimum(points, len(spaces) - 1))
