"""Packed rows: the worked example, padding, and an order that covers everything."""

import numpy as np
import pytest

from kbert.tasks.rows.packed_rows import (
    PackedRows,
    pack_rows,
    shuffled_batches,
    within_budget,
)
from kbert.text.preprocessor import BertPreprocessor
from kbert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]


def packed(texts, length=8, tokens=TOKENS, chunk=1024):
    preprocessor = BertPreprocessor(BertTokenizer(tokens), length)
    return pack_rows(preprocessor, texts, chunk)


def test_golden_example():
    rows = packed([["a", "a b c"]])
    assert rows.token_ids.tolist() == [2, 5, 3, 2, 5, 6, 7, 3]
    assert rows.starts.tolist() == [0, 3, 8]
    assert rows.lengths.tolist() == [3, 5]
    assert len(rows) == 2
    batch = rows.batch(np.array([0, 1]))
    assert {name: array.tolist() for name, array in batch.items()} == {
        "token_ids": [[2, 5, 3, 0, 0, 0, 0, 0], [2, 5, 6, 7, 3, 0, 0, 0]],
        "segment_ids": [[0] * 8, [0] * 8],
        "padding_mask": [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]],
    }
    assert {array.dtype.name for array in batch.values()} == {"int32"}


def test_pairs_and_cutting():
    rows = packed([["a b c", "a"], ["c c c c", "b"]], length=8)
    assert rows.batch(np.array([0]))["token_ids"].tolist() == [[2, 5, 6, 7, 3, 7, 7, 3]]
    assert rows.batch(np.array([0]))["segment_ids"].tolist() == [[0] * 5 + [1] * 3]
    batch = rows.batch(np.array([1]))
    assert batch["token_ids"].tolist() == [[2, 5, 3, 6, 3, 0, 0, 0]]
    assert batch["segment_ids"].tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]]


def test_padding_of_another_id():
    tokens = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "a"]
    batch = packed([["a", ""]], tokens=tokens).batch(np.array([1, 0]))
    assert batch["token_ids"].tolist() == [[2, 3] + [1] * 6, [2, 5, 3] + [1] * 5]


def test_chunks_change_nothing():
    texts = ["a " * n for n in range(1, 12)]
    whole, parts = packed([texts], 16), packed([texts], 16, chunk=3)
    assert np.array_equal(whole.token_ids, parts.token_ids)
    assert np.array_equal(whole.starts, parts.starts)


@pytest.mark.parametrize("longest, width", [(3, 8), (8, 8), (9, 16), (17, 24)])
def test_widths_are_multiples_of_8(longest, width):
    rows = packed([["a " * (longest - 2), ""]], 64)
    assert rows.batch(np.array([0, 1]))["token_ids"].shape == (2, width)


@pytest.mark.parametrize("length", [12, 15])
def test_never_wider_than_the_model(length):
    # Rounded up to a multiple of 8, the row would have more tokens than positions.
    rows = packed([["a " * 40, "a"]], length)
    assert rows.batch(np.array([0, 1]))["token_ids"].shape == (2, length)


def lengths(count=1003):
    return np.random.default_rng(0).integers(3, 64, count)


def batches(seed=0, epoch=0, size=16, count=1003):
    return list(shuffled_batches(lengths(count), size, seed, epoch))


def test_every_row_is_covered_in_batches_of_one_size():
    own = batches()
    assert {len(batch) for batch in own} == {16}
    assert len(own) == 63
    counts = np.bincount(np.concatenate(own), minlength=1003)
    assert counts.min() == 1
    assert counts.sum() == 63 * 16
    assert (counts == 2).sum() == 63 * 16 - 1003


def test_fewer_rows_than_a_batch():
    (batch,) = batches(count=5)
    assert len(batch) == 16
    assert set(batch.tolist()) == set(range(5))


def test_order_is_pure_in_seed_and_epoch():
    first = np.array(batches(seed=1, epoch=2))
    assert np.array_equal(first, batches(seed=1, epoch=2))
    assert not np.array_equal(first, batches(seed=1, epoch=3))
    assert not np.array_equal(first, batches(seed=2, epoch=2))


def test_texts_of_like_length_stand_together():
    spans = [np.ptp(lengths()[batch]) for batch in batches()]
    assert np.median(spans) <= 3  # drawn at random it would be near 53


def test_batches_are_not_sorted_by_length():
    means = [lengths()[batch].mean() for batch in batches()]
    assert 0.3 < (np.diff(means) > 0).mean() < 0.7


def test_rows_made_by_hand():
    rows = PackedRows(
        token_ids=np.array([2, 7, 3, 2, 7, 8, 9, 3], "int32"),
        segment_ids=np.zeros(8, "int32"),
        starts=np.array([0, 3, 8]),
        pad_id=0,
        sequence_length=8,
    )
    assert rows.batch(np.array([1]))["token_ids"].tolist() == [[2, 7, 8, 9, 3, 0, 0, 0]]


@pytest.mark.parametrize(
    "lengths, budget, expected",
    [
        ([9, 2, 9, 3], 32, [[1, 3], [0, 2]]),
        ([9, 2, 9, 3], 31, [[1, 3], [0], [2]]),
        ([9, 2, 9, 3], 8, [[1], [3], [0], [2]]),
        ([9, 2, 9, 3], 64, [[1, 3, 0, 2]]),
        ([], 64, []),
    ],
)
def test_within_budget(lengths, budget, expected):
    batches = within_budget(np.array(lengths, int), budget)
    assert [b.tolist() for b in batches] == expected


def test_batches_within_a_budget_are_as_large_as_they_can_be():
    lengths = np.random.default_rng(1).integers(1, 65, 1000)
    batches = list(within_budget(lengths, 512))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    filled = [-(-lengths[b].max() // 8) * 8 for b in batches]
    assert all(n * len(b) <= 512 for n, b in zip(filled, batches))
    after = zip(filled[1:], batches)
    assert all(n * (len(b) + 1) > 512 for n, b in after)
