"""Tokens, windows and slices of text inside the graph, for texts of any length.

What `kbert.tasks` does in NumPy for `predict`, in TensorFlow's own ops: a SavedModel
holds no Python.
"""

import tensorflow as tf

from kbert.text.packer import Slices, pack_slices

# Rows of the model computed at once: a long text takes many, and memory stays bounded.
ROWS_AT_ONCE = 64


def window_spans(lengths, room, stride):
    """Where windows lie over texts, as `kbert.tasks.rows.windows.windows` lays them.

        >>> rows, starts, limits = window_spans(tf.constant([10, 2]), room=4, stride=3)
        >>> tf.stack([rows, starts, limits]).numpy().tolist()
        [[0, 0, 0, 1], [0, 3, 6, 0], [4, 7, 10, 2]]

    Args:
        lengths: int32 (B,), tokens of each text; an empty one has one window, empty.
        room: int32 (B,) or scalar, the most tokens of a window.
        stride: int32 (B,) or scalar, 1 to `room`.

    Returns: int32 (W,) each: the window's text, its first token, and one past its last.
    """
    room, stride = (tf.broadcast_to(x, tf.shape(lengths)) for x in (room, stride))
    more = tf.maximum(0, lengths - room)
    counts = 1 + (more + stride - 1) // stride  # (B,)
    rows = tf.repeat(tf.range(tf.size(lengths)), counts)  # (W,)
    number = tf.range(tf.size(rows)) - tf.gather(
        tf.cumsum(counts, exclusive=True), rows
    )
    starts = number * tf.gather(stride, rows)
    limits = tf.minimum(starts + tf.gather(room, rows), tf.gather(lengths, rows))
    return rows, starts, limits


def packed_windows(ids, rows, starts, limits, vocabulary, head=None):
    """[CLS] window [SEP], or [CLS] head [SEP] window [SEP], padded to the longest.

        >>> from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
        >>> vocabulary = Vocabulary(SPECIAL_TOKENS.values())  # [CLS] is 2, [SEP] is 3
        >>> rows, starts, limits = map(tf.constant, ([0, 0], [0, 1], [2, 3]))
        >>> ids = tf.ragged.constant([[7, 8, 9]])
        >>> inputs, begin = packed_windows(ids, rows, starts, limits, vocabulary)
        >>> inputs["token_ids"].numpy().tolist()
        [[2, 7, 8, 3], [2, 8, 9, 3]]

    Args:
        ids: ragged int32 (B, None), tokens of each text.
        rows, starts, limits: int32 (W,), from `window_spans`.
        vocabulary: of the special tokens.
        head: ragged int32 (B, None), tokens before each text's windows; None for none.

    Returns: the model's inputs, int32 (W, L) each, and int32 (W,), where in its row the
        window begins.
    """
    first = tf.cast(tf.gather(ids.row_starts(), rows), tf.int32) + starts
    segments = [Slices(ids.flat_values, first, limits - starts)]
    begin = tf.ones_like(rows)
    if head is not None:
        head_starts, head_lengths = (
            tf.cast(tf.gather(x, rows), tf.int32)
            for x in (head.row_starts(), head.row_lengths())
        )
        segments.insert(0, Slices(head.flat_values, head_starts, head_lengths))
        begin += head_lengths + 1
    special = vocabulary.cls_id, vocabulary.sep_id, vocabulary.pad_id
    return pack_slices(segments, *special), begin


def in_turns(function, inputs, output_specs, rows_at_once=ROWS_AT_ONCE):
    """Applies a model to a few rows at a time, so that memory stays bounded.

    Args:
        function: a dict of tensors (R, …) to a dict of tensors (R, …).
        inputs: the dict, of W rows.
        output_specs: `tf.TensorSpec` of each output, the row axis None.

    Returns: the dict for all W rows.
    """
    num_rows = tf.shape(next(iter(inputs.values())))[0]
    # At least one turn: no rows have the right shape, too.
    count = tf.maximum(1, (num_rows + rows_at_once - 1) // rows_at_once)
    arrays = {
        name: tf.TensorArray(
            spec.dtype, count, infer_shape=False, element_shape=spec.shape
        )
        for name, spec in output_specs.items()
    }

    def turn(i, arrays):
        part = slice(i * rows_at_once, (i + 1) * rows_at_once)
        outputs = function({name: x[part] for name, x in inputs.items()})
        return i + 1, {n: array.write(i, outputs[n]) for n, array in arrays.items()}

    _, arrays = tf.while_loop(
        lambda i, _: i < count, turn, (0, arrays), parallel_iterations=1
    )
    return {
        name: tf.ensure_shape(array.concat(), output_specs[name].shape)
        for name, array in arrays.items()
    }


def nearest_windows(rows, starts, limits, ids):
    """For each token, the window in which it has most context.

    As `kbert.tasks.rows.windows.nearest_window`: the smaller of the numbers of tokens
    to the left and to the right, plus a hundredth of the window's length; the first of
    equals.

    Args:
        rows, starts, limits: int32 (W,), from `window_spans`.
        ids: ragged int32 (B, None).

    Returns: int32 (tokens,), a number out of W for each of `ids.flat_values`.
    """
    num_tokens = tf.size(ids.flat_values)
    base = tf.cast(tf.gather(ids.row_starts(), rows), tf.int32)  # (W,)
    covered = tf.ragged.range(base + starts, base + limits)
    token = covered.values  # (pairs,), a window and a token in it
    window = tf.cast(covered.value_rowids(), tf.int32)
    begin, end = (tf.gather(x + base, window) for x in (starts, limits))
    # In float64 as there: what is equal but for the last bit must differ in it alike.
    context = tf.cast(tf.minimum(token - begin, end - 1 - token), tf.float64)
    score = context + 0.01 * tf.cast(end - begin, tf.float64)
    best = tf.math.unsorted_segment_max(score, token, num_tokens)
    is_best = score == tf.gather(best, token)
    return tf.math.unsorted_segment_min(
        tf.boolean_mask(window, is_best), tf.boolean_mask(token, is_best), num_tokens
    )


def code_points(texts):
    """Strings (B,) -> ragged int32 (B, None); bytes that are not UTF-8 give U+FFFD."""
    return tf.strings.unicode_decode(texts, "UTF-8")


def text_slices(points, rows, starts, limits):
    """The texts [start, limit) of given rows, without copying a long text each time.

        >>> rows, starts, limits = map(tf.constant, ([0, 1], [1, 0], [3, 1]))
        >>> points = code_points(["abc", "de"])
        >>> text_slices(points, rows, starts, limits).numpy().tolist()
        [b'bc', b'd']

    Args:
        points: ragged int32 (B, None), from `code_points`.
        rows, starts, limits: int32 (N,), in characters.

    Returns: strings (N,).
    """
    base = tf.cast(tf.gather(points.row_starts(), rows), tf.int32)
    places = tf.ragged.range(base + starts, base + limits)
    slices = places.with_values(tf.gather(points.flat_values, places.values))
    return tf.strings.unicode_encode(slices, "UTF-8")
