"""Windows inside the graph lie where `kbert.tasks.rows.windows` lays them."""

import numpy as np
import pytest
import tensorflow as tf

from kbert.export.graph.windows import (
    code_points,
    in_turns,
    nearest_windows,
    packed_windows,
    text_slices,
    window_spans,
)
from kbert.tasks.rows.windows import nearest_window, windows
from kbert.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"])


def random_texts(generator, most_tokens, least_room, most_room):
    """Lengths, rooms and strides of 1 to 8 texts."""
    count = generator.integers(1, 9)
    lengths = generator.integers(0, most_tokens, count)
    room = generator.integers(least_room, most_room, count)
    return lengths, room, generator.integers(1, room + 1)


def test_window_spans_example():
    rows, starts, limits = window_spans(tf.constant([10, 2]), 4, 3)
    assert rows.numpy().tolist() == [0, 0, 0, 1]
    assert starts.numpy().tolist() == [0, 3, 6, 0]
    assert limits.numpy().tolist() == [4, 7, 10, 2]


def test_window_spans_equal_windows():
    generator = np.random.default_rng(0)
    for _ in range(50):
        texts = random_texts(generator, 60, 1, 20)
        expected_rows, spans = windows(*texts)
        rows, *found = window_spans(*(tf.constant(x, tf.int32) for x in texts))
        assert rows.numpy().tolist() == expected_rows.tolist()
        np.testing.assert_array_equal(np.stack(found, axis=1), spans)


def test_no_texts_have_no_windows():
    for part in window_spans(tf.zeros([0], tf.int32), 4, 3):
        assert part.shape == (0,)


@pytest.mark.parametrize("most_room", [20, 400])
def test_nearest_windows_equal_nearest_window(most_room):
    generator = np.random.default_rng(1)
    for _ in range(30):
        # Windows that lie far apart: 1 to 8 of them over a token.
        lengths, room, _ = random_texts(generator, 3 * most_room, 10, most_room)
        stride = generator.integers(1 + room // 8, room + 1)
        check_nearest(lengths, room, stride)


@pytest.mark.parametrize("text", [(132, 118, 114), (180, 141, 139)])
def test_nearest_windows_where_the_last_bit_decides(text):
    """1 + 0.01 * 118 is less than 2 + 0.01 * 18, though not on paper."""
    check_nearest(*([number] for number in text))


def check_nearest(lengths, room, stride):
    rows, spans = windows(lengths, room, stride)
    line = np.cumsum(lengths) - lengths
    expected = nearest_window(spans + line[rows][:, None])
    starts, limits = spans.T
    ids = tf.RaggedTensor.from_row_lengths(tf.zeros([sum(lengths)], tf.int32), lengths)
    found = nearest_windows(
        *(tf.constant(x, tf.int32) for x in (rows, starts, limits)), ids
    )
    assert found.numpy().tolist() == expected.tolist()


def test_packed_windows_example():
    ids = tf.ragged.constant([[7, 8, 9]], dtype=tf.int32)
    inputs, begin = packed_windows(
        ids, *map(tf.constant, ([0, 0], [0, 1], [2, 3])), VOCABULARY
    )
    assert inputs["token_ids"].numpy().tolist() == [[2, 7, 8, 3], [2, 8, 9, 3]]
    assert not inputs["segment_ids"].numpy().any()
    assert inputs["padding_mask"].numpy().all()
    assert begin.numpy().tolist() == [1, 1]


def test_packed_windows_have_heads():
    """Two texts, the second one empty; the heads have 2 tokens and none."""
    ids = tf.ragged.constant([[7, 8, 9], []], dtype=tf.int32)
    head = tf.ragged.constant([[5, 6], []], dtype=tf.int32)
    inputs, begin = packed_windows(
        ids, *map(tf.constant, ([0, 0, 1], [0, 2, 0], [2, 3, 0])), VOCABULARY, head
    )
    assert inputs["token_ids"].numpy().tolist() == [
        [2, 5, 6, 3, 7, 8, 3],
        [2, 5, 6, 3, 9, 3, 0],
        [2, 3, 3, 0, 0, 0, 0],
    ]
    assert inputs["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
    ]
    assert inputs["padding_mask"].numpy().sum(axis=1).tolist() == [7, 6, 3]
    assert begin.numpy().tolist() == [4, 4, 2]
    assert {x.dtype for x in inputs.values()} == {tf.int32}


@pytest.mark.parametrize("num_rows", [0, 1, 4, 5, 9])
def test_in_turns_computes_all_rows(num_rows):
    """Alike in the graph, where the number of rows is not known."""
    sizes = []

    def function(inputs):
        sizes.append(inputs["a"].shape[0])
        return {
            "sum": tf.cast(tf.reduce_sum(inputs["a"] * inputs["b"], axis=1), "float32"),
            "twice": 2 * inputs["a"],
        }

    specs = {
        "sum": tf.TensorSpec([None], tf.float32),
        "twice": tf.TensorSpec([None, None], tf.int32),
    }
    inputs = {
        "a": tf.reshape(tf.range(num_rows * 3), [num_rows, 3]),
        "b": tf.fill([num_rows, 3], 7),
    }
    outputs = in_turns(function, inputs, specs, rows_at_once=4)
    assert sum(sizes) == num_rows
    assert max(sizes) <= 4
    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in inputs}
    in_graph = tf.function(
        lambda inputs: in_turns(function, inputs, specs, rows_at_once=4),
        input_signature=[spec],
    )(inputs)
    for name, expected in function(inputs).items():
        np.testing.assert_array_equal(outputs[name], expected)
        np.testing.assert_array_equal(in_graph[name], expected)


def test_code_points_replace_what_is_not_utf8():
    points = code_points(tf.constant(["가😀".encode(), b"", b"a\xff\xea\xb0b"]))
    replaced = b"a\xff\xea\xb0b".decode("utf-8", "replace")
    assert points.to_list() == [[*map(ord, "가😀")], [], [*map(ord, replaced)]]


def test_text_slices_example():
    points = code_points(tf.constant(["abc", "de"]))
    slices = text_slices(points, *map(tf.constant, ([0, 1], [1, 0], [3, 1])))
    assert slices.numpy().tolist() == [b"bc", b"d"]


def test_text_slices_equal_slices():
    """Of characters, not bytes: of 1 to 4 of them, decomposed ones too."""
    generator = np.random.default_rng(2)
    texts = ["".join(generator.choice([*"a가é😀 \u0301"], n)) for n in (0, 1, 20, 33)]
    rows = generator.integers(0, 4, 100)
    lengths = np.array([*map(len, texts)])[rows]
    starts, limits = np.sort(generator.integers(0, lengths + 1, (2, 100)), axis=0)
    found = text_slices(
        code_points(tf.constant(texts)),
        *(tf.constant(x, tf.int32) for x in (rows, starts, limits)),
    )
    expected = [
        texts[r][s:e].encode() for r, s, e in zip(rows, starts, limits, strict=True)
    ]
    assert found.numpy().tolist() == expected
