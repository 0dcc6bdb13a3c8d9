"""How texts enter the graph of TensorFlow, and how tokens leave it for Python."""

import numpy as np
import tensorflow as tf

from kbert.disk.text_lines import whole_characters
from kbert.text.normalizer import as_utf8
from kbert.text.token_slices import TokenSlices, joined_slices
from kbert.text.tokenizer_protocol import as_rows, as_texts

CHUNK = 1024  # texts that are in the graph at once
_SPACE = r"[\s\p{Z}\x{b}\x{1c}-\x{1f}\x{85}]+"  # what `str.strip` takes


def as_strings(strings):
    """Whatever holds texts as a tensor of strings (B,).

    Halves of surrogate pairs, for which UTF-8 has no bytes, become U+FFFD.

    Raises:
        ValueError: another shape than (B,), or no strings.
    """
    if isinstance(strings, tf.RaggedTensor):
        shape = tuple(strings.shape)
    else:
        try:
            strings = tf.convert_to_tensor(strings, dtype=tf.string)
        except ValueError:  # halves of pairs, or no strings at all
            strings = tf.convert_to_tensor(_mended(strings), dtype=tf.string)
        shape = tuple(strings.shape) if strings.shape.rank is not None else (None,)
    if len(shape) != 1:
        raise ValueError(
            "strings must have the shape (B,), one text per element; got the shape "
            f"{shape}. Put a single text in a list, flatten the rest."
        )
    return strings


def _mended(strings):
    if isinstance(strings, str):
        return whole_characters(strings)
    if isinstance(strings, np.ndarray):
        strings = strings.tolist()
    if isinstance(strings, list | tuple):
        return [_mended(part) for part in strings]
    return strings


def stripped_left(strings):
    """`str.lstrip` of each string."""
    return tf.strings.regex_replace(strings, f"^{_SPACE}", "")


def stripped_right(strings):
    """`str.rstrip` of each string."""
    return tf.strings.regex_replace(strings, f"{_SPACE}$", "")


def to_bytes(strings, places):
    """Places in characters to places in bytes.

    >>> to_bytes(["가b"], tf.ragged.constant([[0, 1, 2]], tf.int32)).to_list()
    [[0, 3, 4]]
    """
    strings = as_utf8(strings)
    _, starts = tf.strings.unicode_decode_with_offsets(strings, "UTF-8")
    ends = tf.cast(tf.strings.length(strings), tf.int64)[:, None]
    starts = tf.concat([starts, tf.RaggedTensor.from_tensor(ends)], axis=1)
    return tf.cast(tf.gather(starts, places, batch_dims=1), tf.int32)


def ids_of(tokenizer, texts) -> list[list[int]]:
    """`Tokenizer.ids` of a tokenizer in the graph."""
    return [row for chunk in _chunks(texts) for row in tokenizer(chunk).to_list()]


def located_of(tokenizer, texts) -> list[list[tuple[int, int, int]]]:
    """`Tokenizer.located` of a tokenizer in the graph."""
    slices = tokenizer.slices(texts)
    rows = (slices.text(i) for i in range(len(slices)))
    return [list(zip(*(column.tolist() for column in row))) for row in rows]


def slices_of(tokenizer, texts) -> TokenSlices:
    """`Tokenizer.slices` of a tokenizer in the graph."""
    parts, lengths = [], []
    for chunk in _chunks(texts):
        ragged = tokenizer.tokenize_with_offsets(chunk)
        parts.append(tuple(part.flat_values.numpy() for part in ragged))
        lengths.append(ragged[0].row_lengths().numpy())
    return joined_slices(parts, lengths)


def texts_of(tokenizer, ids) -> list[str]:
    """`Tokenizer.texts` of a tokenizer in the graph."""
    ragged = tf.ragged.constant(as_rows(ids), tf.int32, ragged_rank=1)
    return [text.decode("utf-8") for text in tokenizer.detokenize(ragged).numpy()]


def _chunks(texts):
    texts = as_texts(texts)
    for start in range(0, len(texts), CHUNK):
        yield texts[start : start + CHUNK]
