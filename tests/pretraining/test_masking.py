"""Masking: golden shape, 15 %, 80/10/10, and what is never masked."""

import numpy as np

from kbert.pretraining.masking import mask_tokens

MASK_ID = 4
ORDINARY = np.arange(5, 1000, dtype="int32")


def masked(token_ids, maskable, max_predictions, seed=0, **arguments):
    return mask_tokens(
        np.array(token_ids, "int32"),
        np.array(maskable, bool),
        np.random.default_rng(seed),
        max_predictions,
        MASK_ID,
        ORDINARY,
        **arguments,
    )


def test_golden_row():
    hidden, positions, labels, is_used = masked(
        [[2, 7, 8, 9, 3]], [[0, 1, 1, 1, 0]], 2, seed=4
    )
    (place, unused), (label, filler) = positions[0], labels[0]
    assert is_used.tolist() == [[True, False]]
    assert (unused, filler) == (0, 0)
    assert label == {1: 7, 2: 8, 3: 9}[int(place)]
    expected = [2, 7, 8, 9, 3]
    expected[place] = hidden[0, place]
    assert hidden.tolist() == [expected]
    assert {a.dtype.name for a in (hidden, positions, labels)} == {"int32"}


def large():
    """2,000 rows of [CLS] 40 tokens [SEP] and 22 padding."""
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 1000, (2000, 64)).astype("int32")
    ids[:, 0], ids[:, 41], ids[:, 42:] = 2, 3, 0
    maskable = np.zeros(ids.shape, bool)
    maskable[:, 1:41] = True
    return ids, maskable


def test_15_percent_and_80_10_10():
    ids, maskable = large()
    hidden, positions, labels, is_used = masked(ids, maskable, 10)
    assert (is_used.sum(axis=1) == 6).all()  # round(0.15 * 40)
    shown = np.take_along_axis(hidden, positions, axis=1)[is_used]
    original = labels[is_used]
    assert len(shown) == 12000
    is_mask, is_kept = shown == MASK_ID, shown == original
    assert 0.785 < is_mask.mean() < 0.815
    assert 0.09 < is_kept.mean() < 0.11
    other = shown[~is_mask & ~is_kept]
    assert 0.09 < len(other) / len(shown) < 0.11
    assert other.min() >= 5  # never a special token
    assert len(set(other.tolist())) > 500


def test_only_used_positions_change_and_labels_are_what_stood_there():
    ids, maskable = large()
    before = ids.copy()
    hidden, positions, labels, is_used = masked(ids, maskable, 10)
    assert np.array_equal(ids, before)
    at_used = np.zeros(ids.shape, bool)
    rows = np.broadcast_to(np.arange(len(ids))[:, None], positions.shape)
    at_used[rows[is_used], positions[is_used]] = True
    assert np.array_equal(hidden[~at_used], ids[~at_used])
    assert not (at_used & ~maskable).any()
    assert at_used.sum() == is_used.sum()  # none twice
    assert np.array_equal(labels[is_used], ids[rows[is_used], positions[is_used]])
    assert (positions[~is_used] == 0).all()
    assert (labels[~is_used] == 0).all()


def test_positions_rise_and_every_place_is_drawn():
    ids, maskable = large()
    _, positions, _, is_used = masked(ids, maskable, 10)
    assert (np.diff(positions[:, :6], axis=1) > 0).all()
    counts = np.bincount(positions[is_used], minlength=64)[1:41]
    assert counts.min() > 200  # 12,000 / 40 = 300 expected
    assert counts.max() < 400


def test_at_most_max_predictions_and_at_least_one():
    ids, maskable = large()
    _, positions, _, is_used = masked(ids, maskable, 3)
    assert positions.shape == (2000, 3)
    assert is_used.all()
    assert masked([[2, 7, 3]], [[0, 1, 0]], 3)[3].tolist() == [[True, False, False]]
    assert masked([[2, 3, 0]], [[0, 0, 0]], 2)[3].tolist() == [[False, False]]


def test_more_predictions_than_tokens():
    hidden, positions, labels, is_used = masked([[2, 7, 3]], [[0, 1, 0]], 5)
    assert hidden.shape == (1, 3)
    assert positions.tolist() == [[1, 0, 0, 0, 0]]
    assert labels.tolist() == [[7, 0, 0, 0, 0]]
    assert is_used.tolist() == [[True, False, False, False, False]]


def test_another_share():
    ids, maskable = large()
    assert masked(ids, maskable, 40, masked_share=0.5)[3].sum() == 2000 * 20


def test_same_seed_same_masks():
    ids, maskable = large()
    first, again = (masked(ids, maskable, 10, seed=7) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first[1], masked(ids, maskable, 10, seed=8)[1])
