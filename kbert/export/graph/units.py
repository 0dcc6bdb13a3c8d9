"""Units of texts, and the tokens that answer for them, in TensorFlow's ops.

What `kbert.tasks.tagging.tagged_text` and `tagged_rows` do in Python. All texts of a
batch stand on one line of characters, and all their tokens on one line of tokens.
"""

import functools
import sys

import tensorflow as tf

from kbert.text.characters import is_punctuation, is_whitespace

_SPACE, _PUNCTUATION, _OTHER = range(3)


def word_units(points):
    """Words of texts, punctuation at either end split off, as `tagged_text.word_units`.

        >>> starts, limits = word_units(tf.strings.unicode_decode(["(a-b) c"], "UTF-8"))
        >>> starts.numpy().tolist(), limits.numpy().tolist()
        ([0, 1, 4, 6], [1, 4, 5, 7])

    Args:
        points: ragged int32 (B, None), the characters.

    Returns: int32 (U,) each, on the line of characters: where units start and end.
    """
    kind = _kinds(points.flat_values)
    place = tf.range(tf.size(kind))
    word = tf.cumsum(tf.cast(_word_starts(points, kind), tf.int32)) - 1
    num_words = tf.reduce_max(tf.concat([word, [-1]], axis=0)) + 1
    # From the first to the last character that is no punctuation, a word is one unit.
    inner = tf.where(kind == _OTHER)[:, 0]
    owner, inner = tf.gather(word, inner), tf.cast(inner, tf.int32)
    first = tf.math.unsorted_segment_min(inner, owner, num_words)
    last = tf.math.unsorted_segment_max(inner, owner, num_words)
    is_text = kind != _SPACE
    own = tf.maximum(word, 0)
    none = tf.constant([-1])  # where there is no word at all
    first = tf.gather(tf.concat([first, none], axis=0), own)
    last = tf.gather(tf.concat([last, none], axis=0), own)
    is_middle = is_text & (place >= first) & (place <= last)
    is_start = is_text & (~is_middle | (place == first))
    limits = tf.where(is_middle, last, place) + 1
    return tf.boolean_mask(place, is_start), tf.boolean_mask(limits, is_start)


def character_units(points):
    """A unit for each character but white space; see `word_units`."""
    is_text = _kinds(points.flat_values) != _SPACE
    starts = tf.boolean_mask(tf.range(tf.size(is_text)), is_text)
    return starts, starts + 1


def units_first_tokens(units, token_starts, token_limits, num_characters):
    """The first token of each unit, int32 (U,); -1 where none begins in it.

        >>> units = tf.constant([0, 10]), tf.constant([9, 11])
        >>> starts, limits = tf.constant([0, 2, 5, 10]), tf.constant([2, 5, 9, 11])
        >>> units_first_tokens(units, starts, limits, 11).numpy().tolist()
        [0, 3]

    Args:
        units: starts and limits, int32 (U,), on the line of characters.
        token_starts, token_limits: int32 (tokens,), on the line of characters; an empty
            slice belongs to no unit.
        num_characters: of the line.
    """
    starts, limits = units
    num_units = tf.size(starts)
    covered = tf.ragged.range(starts, limits)
    owners = tf.tensor_scatter_nd_update(
        tf.fill([num_characters], -1),
        covered.values[:, None],
        tf.cast(covered.value_rowids(), tf.int32),
    )
    filled = tf.cast(tf.where(token_starts < token_limits)[:, 0], tf.int32)
    owner = tf.gather(owners, tf.gather(token_starts, filled))
    filled, owner = (tf.boolean_mask(x, owner >= 0) for x in (filled, owner))
    first = tf.math.unsorted_segment_min(filled, owner, num_units)
    return tf.where(first == first.dtype.max, -1, first)


def characters_tokens(units, rows, token_starts, token_limits, num_characters):
    """The token whose slice holds each unit of one character, int32 (U,); else -1.

    A character that left nothing behind goes with the one before it if they touch.

        >>> units, rows = (tf.constant([0, 1, 2]), tf.constant([1, 2, 3])), tf.zeros(3)
        >>> token = tf.constant([0]), tf.constant([2])  # nothing from 2
        >>> characters_tokens(units, rows, *token, num_characters=3).numpy().tolist()
        [0, 0, 0]

    Args:
        units, token_starts, token_limits, num_characters: as `units_first_tokens`.
        rows: int32 (U,), the text of each unit.
    """
    starts, limits = units
    filled = tf.cast(tf.where(token_starts < token_limits)[:, 0], tf.int32)
    covered = tf.ragged.range(
        tf.gather(token_starts, filled), tf.gather(token_limits, filled)
    )
    holder = tf.tensor_scatter_nd_update(
        tf.fill([num_characters], -1),
        covered.values[:, None],
        tf.gather(filled, covered.value_rowids()),
    )
    tokens = tf.gather(holder, starts)
    has_token = tokens >= 0
    # The last unit before each that has a token, if there is no gap between them.
    number = tf.cumsum(tf.cast(has_token, tf.int32)) - 1
    with_token = tf.concat(
        [tf.boolean_mask(tf.range(tf.size(starts)), has_token), [0]], 0
    )
    last = tf.gather(with_token, tf.maximum(number, 0))
    is_gap = (starts[1:] != limits[:-1]) | (rows[1:] != rows[:-1])
    run = tf.concat([[0], tf.cumsum(tf.cast(is_gap, tf.int32))], axis=0)[
        : tf.size(rows)
    ]
    touches = (number >= 0) & (tf.gather(run, last) == run)
    return tf.where(touches, tf.gather(tokens, last), -1)


def _word_starts(points, kind):
    """Whether a word begins at each character: behind white space or a text's end."""
    rows = points.value_rowids()
    is_text = kind != _SPACE
    goes_on = is_text[:-1] & (rows[1:] == rows[:-1])
    return is_text & ~tf.concat([[False], goes_on], axis=0)[: tf.size(kind)]


def _kinds(points):
    """White space, punctuation or other, of each character."""
    bounds, kinds = _kinds_of_ranges()
    place = tf.searchsorted(tf.constant(bounds), points, side="right") - 1
    return tf.gather(tf.constant(kinds), place)


@functools.cache
def _kinds_of_ranges():
    """Where the kind of the characters changes, and to what."""
    bounds, kinds = [], []
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        kind = _OTHER
        if is_whitespace(character):
            kind = _SPACE
        elif is_punctuation(character):
            kind = _PUNCTUATION
        if not kinds or kind != kinds[-1]:
            bounds.append(point)
            kinds.append(kind)
    return bounds, kinds
