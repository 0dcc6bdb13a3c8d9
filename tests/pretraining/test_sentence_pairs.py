"""Sentence pairs: what stands in A and B, how often it is random, what is covered."""

import numpy as np
import pytest

from kbert.pretraining.sentence_pairs import draw_pairs
from kbert.pretraining.token_store import build_token_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """300 documents of 1 to 20 sentences of 1 to 12 tokens, each token its own id."""
    rng = np.random.default_rng(1)
    documents, next_id = [], 0
    for num_sentences in rng.integers(1, 21, 300):
        document = []
        for length in rng.integers(1, 13, num_sentences):
            document.append(list(range(next_id, next_id + length)))
            next_id += length
        documents.append(document)
    directory = tmp_path_factory.mktemp("pairs") / "store"
    return build_token_store(documents, lambda sentences: sentences, directory)


def pairs_of(store, seed=0, documents=None, max_tokens=40, short=0.1):
    if documents is None:
        documents = np.arange(store.num_documents)
    rng = np.random.default_rng(seed)
    return draw_pairs(store, documents, max_tokens, rng, short)


def document_of(store, token):
    """The document in which the token of this place stands."""
    sentence = np.searchsorted(store.sentence_starts, token, side="right") - 1
    return np.searchsorted(store.document_starts, sentence, side="right") - 1


def test_segments_are_whole_sentences_of_one_document(store):
    pairs = pairs_of(store)
    starts = set(store.sentence_starts.tolist())
    for name in ("a", "b"):
        start = getattr(pairs, f"{name}_start")
        stop = getattr(pairs, f"{name}_stop")
        assert (stop > start).all()
        assert starts.issuperset(start.tolist())
        assert starts.issuperset(stop.tolist())
        same = document_of(store, start) == document_of(store, stop - 1)
        assert same.all()


def test_label_0_continues_and_label_1_is_of_another_document(store):
    pairs = pairs_of(store)
    follows = ~pairs.is_random
    assert follows.sum() > 300
    assert np.array_equal(pairs.a_stop[follows], pairs.b_start[follows])
    other = document_of(store, pairs.a_start) != document_of(store, pairs.b_start)
    assert np.array_equal(other, pairs.is_random)


def test_about_half_are_random(store):
    documents = np.diff(store.document_starts)
    long = np.flatnonzero(documents >= 10)
    random = np.concatenate(
        [pairs_of(store, seed, long).is_random for seed in range(10)]
    )
    # A span of one sentence has no B of its own, so a little over one half.
    assert 0.47 < random.mean() < 0.62


def test_two_long_documents_give_one_half(tmp_path):
    documents = [[[1]] * 5000, [[2]] * 5000]
    store = build_token_store(documents, lambda s: s, tmp_path / "store")
    random = pairs_of(store, max_tokens=10, short=0.0).is_random
    assert len(random) > 1000
    assert 0.45 < random.mean() < 0.55


def test_every_token_is_seen_once(store):
    # A and, where it follows, B cover the documents once; none is lost, none twice.
    pairs = pairs_of(store)
    seen = np.zeros(store.num_tokens, int)
    for a_start, a_stop, b_start, b_stop, is_random in zip(
        pairs.a_start, pairs.a_stop, pairs.b_start, pairs.b_stop, pairs.is_random
    ):
        seen[a_start:a_stop] += 1
        if not is_random:
            seen[b_start:b_stop] += 1
    assert (seen == 1).all()


def test_only_the_given_documents(store):
    chosen = np.arange(0, store.num_documents, 3)
    pairs = pairs_of(store, documents=chosen)
    for start in (pairs.a_start, pairs.b_start):
        assert set(document_of(store, start)) <= set(chosen.tolist())
    assert set(document_of(store, pairs.a_start)) == set(chosen.tolist())


def test_random_passages_come_from_everywhere(store):
    pairs = pairs_of(store)
    others = document_of(store, pairs.b_start[pairs.is_random])
    assert len(set(others.tolist())) > 200
    assert others.max() == store.num_documents - 1 or others.max() > 290
    assert others.min() < 10


def test_segments_reach_their_budget_and_not_much_more(store):
    pairs = pairs_of(store, short=0.0)
    total = pairs.a_stop - pairs.a_start + pairs.b_stop - pairs.b_start
    assert (pairs.budget == 40).all()
    # Before truncation, at most one sentence (of 12 tokens) too many in A and in B.
    assert total.max() < 40 + 2 * 12
    assert np.median(total) >= 40


def test_a_tenth_is_short(store):
    budget = np.concatenate([pairs_of(store, seed).budget for seed in range(5)])
    assert budget.min() >= 2
    assert budget.max() == 40
    assert 0.06 < (budget < 40).mean() < 0.14


def test_same_seed_same_pairs(store):
    first, again, other = pairs_of(store, 3), pairs_of(store, 3), pairs_of(store, 4)
    for name in vars(first):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.b_start[:100], other.b_start[:100])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_documents(store, count):
    with pytest.raises(
        ValueError, match=f"at least 2 documents.*the corpus has {count}"
    ):
        pairs_of(store, documents=np.arange(count))
