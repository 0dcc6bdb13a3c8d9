import random

import numpy as np
import pytest
import tensorflow as tf

from kbert.text.packer import MultiSegmentPacker, truncated_lengths


def ragged(rows):
    return tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=1)


def as_lists(outputs):
    return {name: value.numpy().tolist() for name, value in outputs.items()}


def truncate_seq_pair(a, b, budget):
    """google-research/bert's loop, on lists."""
    a, b = list(a), list(b)
    while len(a) + len(b) > budget:
        (a if len(a) > len(b) else b).pop()
    return a, b


def packed(a, b, length, cls, sep, pad):
    """The reference in plain Python: one example; b None for a single segment."""
    if b is None:
        tokens, segments = [cls, *a[: length - 2], sep], None
        segments = [0] * len(tokens)
    else:
        a, b = truncate_seq_pair(a, b, length - 3)
        tokens = [cls, *a, sep, *b, sep]
        segments = [0] * (len(a) + 2) + [1] * (len(b) + 1)
    left = length - len(tokens)
    mask = [1] * len(tokens) + [0] * left
    return tokens + [pad] * left, segments + [0] * left, mask


def test_golden_pair():
    packer = MultiSegmentPacker(8, cls_id=2, sep_id=3, pad_id=0)
    assert as_lists(packer((ragged([[7, 8]]), ragged([[9]])))) == {
        "token_ids": [[2, 7, 8, 3, 9, 3, 0, 0]],
        "segment_ids": [[0, 0, 0, 0, 1, 1, 0, 0]],
        "padding_mask": [[1, 1, 1, 1, 1, 1, 0, 0]],
    }


def test_golden_single_with_a_padding_id_of_its_own():
    packer = MultiSegmentPacker(5, cls_id=2, sep_id=3, pad_id=1)
    assert as_lists(packer(ragged([[7, 8, 9, 10], [], [6]]))) == {
        "token_ids": [[2, 7, 8, 9, 3], [2, 3, 1, 1, 1], [2, 6, 3, 1, 1]],
        "segment_ids": [[0] * 5] * 3,
        "padding_mask": [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]],
    }


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("length", [5, 6, 12, 13, 40])
def test_equals_googles_loop(pair, length):
    draw = random.Random(length)
    first, second = (
        [
            [draw.randrange(5, 99) for _ in range(draw.choice([0, 1, 4, 9, 20]))]
            for _ in range(200)
        ]
        for _ in range(2)
    )
    packer = MultiSegmentPacker(length, cls_id=2, sep_id=3, pad_id=4)
    segments = (ragged(first), ragged(second)) if pair else (ragged(first),)
    outputs = packer(segments)
    rows = [
        packed(a, b if pair else None, length, 2, 3, 4)
        for a, b in zip(first, second, strict=True)
    ]
    for got, expected in zip(outputs.values(), zip(*rows, strict=True), strict=True):
        assert got.dtype == tf.int32
        np.testing.assert_array_equal(got, expected)


def test_truncated_lengths_in_full():
    for budget in range(2, 12):
        for a in range(14):
            for b in range(14):
                kept = truncate_seq_pair(range(a), range(b), budget)
                got = truncated_lengths(tf.constant(a), tf.constant(b), budget)
                assert [int(x) for x in got] == [len(x) for x in kept]


def test_empty_texts_and_empty_batches():
    packer = MultiSegmentPacker(5, cls_id=2, sep_id=3, pad_id=0)
    empty = ragged([[], []])
    assert packer((empty, empty))["token_ids"].numpy().tolist() == [[2, 3, 3, 0, 0]] * 2
    assert packer(empty[:0])["token_ids"].shape == (0, 5)


def test_eager_equals_tf_data_with_static_length():
    packer = MultiSegmentPacker(6, cls_id=2, sep_id=3, pad_id=0)
    a, b = ragged([[7, 8], [5], [6, 6, 6, 6]]), ragged([[9], [], [4, 4]])
    data = tf.data.Dataset.from_tensor_slices((a, b)).ragged_batch(2)
    data = data.map(lambda a, b: packer((a, b)))
    assert data.element_spec["token_ids"].shape.as_list() == [None, 6]
    batches = list(data)
    for name, value in packer((a, b)).items():
        np.testing.assert_array_equal(tf.concat([x[name] for x in batches], 0), value)


def test_config_round_trip():
    arguments = {"sequence_length": 9, "cls_id": 5, "sep_id": 6, "pad_id": 7}
    packer = MultiSegmentPacker(**arguments, name="pack")
    again = MultiSegmentPacker.from_config(packer.get_config())
    assert again.name == "pack"
    assert {name: getattr(again, name) for name in arguments} == arguments


def test_errors():
    a = ragged([[7, 8]])
    short = MultiSegmentPacker(4, cls_id=2, sep_id=3, pad_id=0)
    with pytest.raises(ValueError, match="at least 5 for 2 segment.*got 4"):
        short((a, a))
    with pytest.raises(ValueError, match="at least 3 for 1 segment.*got 2"):
        MultiSegmentPacker(2, cls_id=2, sep_id=3, pad_id=0)(a)
    packer = MultiSegmentPacker(8, cls_id=2, sep_id=3, pad_id=0)
    with pytest.raises(ValueError, match="one or two ragged tensors; got 3"):
        packer((a, a, a))
    with pytest.raises(ValueError, match=r"ragged tensor of the shape \(B, None\)"):
        packer(tf.constant([[7, 8]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="same number of rows"):
        packer((a, ragged([[1], [2]])))
