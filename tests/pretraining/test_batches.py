"""Pre-training batches: pure in (store, seed, step), well formed, covering, split."""

import numpy as np
import pytest

from kbert.pretraining.batches import PretrainingBatches, truncate_pairs
from kbert.pretraining.token_store import build_token_store
from kbert.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"w{i}" for i in range(400)]
VOCABULARY = Vocabulary(SPECIAL + WORDS)
# As KoBERT has it: [PAD] is 1; and here the special tokens stand among the others.
ODD_VOCABULARY = Vocabulary(["w0", "[PAD]", "[CLS]", *WORDS[1:], *SPECIAL[3:], "[UNK]"])


def build(directory, ids, num_documents=60):
    """Documents of 2 to 12 sentences of 1 to 14 tokens out of `ids`."""
    rng = np.random.default_rng(0)
    documents = [
        [rng.choice(ids, length).tolist() for length in rng.integers(1, 15, count)]
        for count in rng.integers(2, 13, num_documents)
    ]
    return build_token_store(documents, lambda sentences: sentences, directory)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("batches") / "s", np.arange(5, 405))


def batches(store, vocabulary=VOCABULARY, **arguments):
    defaults = {"batch_size": 16, "sequence_length": 32, "seed": 3}
    return PretrainingBatches(store, vocabulary, **defaults | arguments)


def flat(batch):
    return {
        f"{part}/{name}": array
        for part, arrays in zip("xyw", batch, strict=True)
        for name, array in arrays.items()
    }


def assert_equal(batch, other):
    batch, other = flat(batch), flat(other)
    assert list(batch) == list(other)
    for name in batch:
        assert batch[name].dtype == other[name].dtype
        assert np.array_equal(batch[name], other[name]), name


def test_a_batch_is_a_pure_function_of_the_step(store):
    first, second = batches(store), batches(store)
    steps = [0, 7, 3, 1000, 3, 50]
    forwards = {step: first.batch(step) for step in steps}
    for step in reversed(steps):
        assert_equal(forwards[step], second.batch(step))
        assert_equal(forwards[step], batches(store).batch(step))


def test_steps_epochs_and_seeds_differ(store):
    own = batches(store)
    ids = [
        b["token_ids"]
        for b in (
            own.batch(0)[0],
            own.batch(1)[0],
            own.batch(own.steps_per_epoch)[0],
            batches(store, seed=4).batch(0)[0],
        )
    ]
    for i, one in enumerate(ids):
        for other in ids[i + 1 :]:
            assert not np.array_equal(one, other)


def test_names_shapes_and_dtypes(store):
    shapes = {
        k: (v.shape, v.dtype.name) for k, v in flat(batches(store).batch(0)).items()
    }
    assert shapes == {
        "x/token_ids": ((16, 32), "int32"),
        "x/segment_ids": ((16, 32), "int32"),
        "x/padding_mask": ((16, 32), "int32"),
        "x/mask_positions": ((16, 5), "int32"),  # 15 % of 32
        "y/masked_lm": ((16, 5), "int32"),
        "y/next_sentence": ((16,), "int32"),
        "w/masked_lm": ((16, 5), "float32"),
        "w/next_sentence": ((16,), "float32"),
    }


def unmasked(x, y, w):
    ids = x["token_ids"].copy()
    rows, places = np.nonzero(w["masked_lm"])
    ids[rows, x["mask_positions"][rows, places]] = y["masked_lm"][rows, places]
    return ids


@pytest.mark.parametrize("vocabulary", [VOCABULARY, ODD_VOCABULARY])
def test_rows_are_well_formed(tmp_path, vocabulary):
    ordinary = np.setdiff1d(np.arange(len(vocabulary)), vocabulary.special_ids)
    store = build(tmp_path / "store", ordinary)
    own = batches(store, vocabulary)
    tokens = store.tokens.tolist()
    windows = {
        tuple(tokens[i : i + n])
        for n in range(1, 31)
        for i in range(len(tokens) - n + 1)
    }
    specials = set(vocabulary.special_ids)
    for step in range(8):
        x, y, w = own.batch(step)
        used = w["masked_lm"] > 0
        assert used.any(axis=1).all()
        assert specials.isdisjoint(y["masked_lm"][used].tolist())
        rows = unmasked(x, y, w)
        for ids, shown, segments, keep in zip(
            rows, x["token_ids"], x["segment_ids"], x["padding_mask"], strict=True
        ):
            length = int(keep.sum())
            assert keep.tolist() == [1] * length + [0] * (32 - length)
            assert (ids[length:] == vocabulary.pad_id).all()
            first, last = np.flatnonzero(ids[:length] == vocabulary.sep_id)
            assert last == length - 1
            assert ids[0] == vocabulary.cls_id
            a, b = ids[1:first].tolist(), ids[first + 1 : last].tolist()
            assert tuple(a) in windows
            assert tuple(b) in windows
            assert specials.isdisjoint(a + b)
            expected = [0] * (first + 1) + [1] * (last - first) + [0] * (32 - length)
            assert segments.tolist() == expected
            # Special tokens stand where they stood; random ones are never special.
            hidden = set(shown[:length].tolist()) & specials
            assert hidden <= {vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id}
            assert (shown[[0, first, last]] == ids[[0, first, last]]).all()


def test_labels_of_next_sentence_agree_with_the_pairs(store):
    own = batches(store)
    pairs, order = own._epoch(0)
    labels = np.concatenate(
        [own.batch(step)[1]["next_sentence"] for step in range(own.steps_per_epoch - 1)]
    )
    assert np.array_equal(labels, pairs.is_random[order][: len(labels)])
    assert 0.35 < labels.mean() < 0.65


def test_an_epoch_goes_once_through_the_pairs(store):
    own = batches(store, batch_size=10)
    pairs, order = own._epoch(0)
    assert sorted(order.tolist()) == list(range(len(pairs)))
    assert own.steps_per_epoch == round(len(pairs) / 10)
    again, other_order = own._epoch(1)
    assert not np.array_equal(order[:50], other_order[:50])
    assert not np.array_equal(pairs.a_start[:50], again.a_start[:50])


def test_a_batch_across_two_epochs_is_whole(store):
    own = batches(store, batch_size=7)
    step = own._pairs_per_epoch // 7
    assert flat(own.batch(step))["x/token_ids"].shape == (7, 32)


def test_nearly_every_token_is_seen_in_an_epoch(tmp_path):
    # Every token of the corpus has an id of its own, so that it can be found again.
    vocabulary = Vocabulary(SPECIAL + [f"t{i}" for i in range(4000)])
    rng = np.random.default_rng(0)
    ids = iter(range(5, 4005))
    documents = []
    for count in rng.integers(2, 13, 60):
        document = [[next(ids) for _ in range(n)] for n in rng.integers(1, 15, count)]
        documents.append(document)
    store = build_token_store(documents, lambda s: s, tmp_path / "store")
    own = batches(store, vocabulary, sequence_length=64)
    seen = set()
    for step in range(own.steps_per_epoch + 1):
        seen.update(unmasked(*own.batch(step)).ravel().tolist())
    share = len(seen & set(store.tokens.tolist())) / store.num_tokens
    assert share > 0.9  # the rest is what truncation cuts


def test_weights_average_to_one(store):
    for step in range(5):
        _, _, w = batches(store).batch(step)
        assert w["masked_lm"].mean() == pytest.approx(1, abs=1e-6)
        assert len(np.unique(w["masked_lm"])) <= 2
        assert (w["next_sentence"] == 1).all()


def test_max_predictions_is_a_cap(store):
    x, _, w = batches(store, max_predictions=2).batch(0)
    assert x["mask_positions"].shape == (16, 2)
    assert (w["masked_lm"] > 0).sum(axis=1).max() == 2


def test_validation_documents_are_apart(store):
    train = batches(store, held_out=0.1)
    held_out = batches(store, held_out=0.1, validation=True)
    assert len(held_out.documents) == 6  # of 60
    together = np.concatenate([train.documents, held_out.documents])
    assert sorted(together.tolist()) == list(range(60))
    for own in (train, held_out):
        pairs, _ = own._epoch(0)
        for start in (pairs.a_start, pairs.b_start):
            sentence = np.searchsorted(store.sentence_starts, start, "right") - 1
            document = np.searchsorted(store.document_starts, sentence, "right") - 1
            assert set(document.tolist()) <= set(own.documents.tolist())


def test_at_least_two_documents_are_held_out(store):
    own = batches(store, held_out=0.001, validation=True)
    assert len(own.documents) == 2


def test_one_document_is_too_few(tmp_path):
    store = build_token_store([[[5, 6], [7]]], lambda s: s, tmp_path / "store")
    with pytest.raises(ValueError, match="at least 2 documents.*the corpus has 1"):
        batches(store)


def test_nothing_left_to_train_on(tmp_path):
    store = build_token_store(
        [[[5], [8]], [[6]], [[7]]], lambda s: s, tmp_path / "store"
    )
    with pytest.raises(ValueError, match="at least 2 documents.*the corpus has 3"):
        batches(store, held_out=0.5)


def test_a_sequence_too_short(store):
    with pytest.raises(ValueError, match="sequence_length must be at least 8.*got 7"):
        batches(store, sequence_length=7)


def loop(a, b, budget):
    """google-research/bert's `truncate_seq_pair`: lengths that are left."""
    while a + b > budget:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b


def test_truncation_leaves_the_lengths_of_the_loop():
    a, b, budget = (x.ravel() for x in np.mgrid[1:30, 1:30, 2:32])
    rng = np.random.default_rng(0)
    a_start, a_stop, b_start, b_stop = truncate_pairs(
        0 * a, a, 100 + 0 * b, 100 + b, budget, rng
    )
    expected = [loop(*row) for row in zip(a.tolist(), b.tolist(), budget.tolist())]
    assert (
        list(zip((a_stop - a_start).tolist(), (b_stop - b_start).tolist())) == expected
    )
    assert (a_start >= 0).all()
    assert (a_stop <= a).all()
    assert (b_start >= 100).all()
    assert (b_stop <= 100 + b).all()


def test_truncation_takes_from_both_ends_by_a_coin():
    rows = 20000
    a = np.full(rows, 10)
    zero, rng = np.zeros(rows, int), np.random.default_rng(0)
    start, stop, _, _ = truncate_pairs(zero, a, zero, zero + 4, zero + 8, rng)
    assert (stop - start == 4).all()
    shares = np.bincount(start, minlength=7) / rows
    binomial = np.array([1, 6, 15, 20, 15, 6, 1]) / 64
    np.testing.assert_allclose(shares, binomial, atol=0.015)
