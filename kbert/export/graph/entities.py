"""Tags to entities by the rules of `kbert.metrics.entities`, in TensorFlow's ops."""

import tensorflow as tf

_O, _B, _I, _E, _S = range(5)
_LETTERS = {"O": _O, "B": _B, "I": _I, "E": _E, "S": _S}


def tag_parts(tags):
    """Letters int32 and types of tags.

        >>> tag_parts(["B-PER", "O"])
        ([1, 0], ['PER', ''])

    Args:
        tags: as `TagScheme.canonical` gives them.
    """
    letters = [_LETTERS[tag[0]] for tag in tags]
    return letters, ["" if tag == "O" else tag[2:] for tag in tags]


def entity_spans(letters, types, rows):
    """First and last unit of each entity in the sequences of a batch, end to end.

        >>> letters, _ = tag_parts(["B-PER", "I-PER", "O", "I-LOC", "I-PER"])
        >>> types, rows = tf.constant([0, 0, 0, 1, 0]), tf.zeros(5, tf.int32)
        >>> first, last = entity_spans(tf.constant(letters), types, rows)
        >>> first.numpy().tolist(), last.numpy().tolist()
        ([0, 3, 4], [1, 3, 4])

    Args:
        letters: int32 (U,), from `tag_parts`.
        types: int32 (U,), a number for each type.
        rows: int32 (U,), the sequence of each unit.

    Returns: int32 (E,) each.
    """
    outside = tf.constant([_O])
    is_new_row = rows[1:] != rows[:-1]

    def neighbours(values, filling):
        """The unit before each and the one behind it; `filling` at a text's ends."""
        before = tf.concat([filling, tf.where(is_new_row, filling, values[:-1])], 0)
        behind = tf.concat([tf.where(is_new_row, filling, values[1:]), filling], 0)
        count = tf.size(values)
        return before[:count], behind[tf.size(behind) - count :]

    types = tf.where(letters == _O, -1, types)
    letter_before, letter_behind = neighbours(letters, outside)
    type_before, type_behind = neighbours(types, tf.constant([-1]))
    is_in = letters != _O
    ends_itself = (letters == _E) | (letters == _S)
    behind_begins = _is_one_of(letter_behind, _B, _S, _O)
    is_last = is_in & ((types != type_behind) | ends_itself | behind_begins)
    before_is_over = _is_one_of(letter_before, _E, _S, _O)
    is_first = is_in & (
        (types != type_before) | before_is_over | (letters == _B) | (letters == _S)
    )
    place = tf.range(tf.size(letters))
    return tf.boolean_mask(place, is_first), tf.boolean_mask(place, is_last)


def _is_one_of(letters, *wanted):
    return tf.reduce_any(letters[:, None] == tf.constant(wanted), axis=1)
