"""Which tokens stand in segments A and B: a pure function of (store, seed, epoch).

Follows google-research/bert's `create_instances_from_document`: consecutive sentences
of a document are gathered up to a target length, cut at a random sentence into A and
B, and half of the time B is replaced by a passage of another document; the sentences
that B would have held then open the next pair, so none is lost. Where we leave it: the
pairs are drawn anew in each epoch instead of written out ten times over.

    document of sentences [5 6] [7] [8 9 10], budget 5 ->
        A = tokens 0:2, B = tokens 2:6, label 0    (cut after one sentence), or
        A = tokens 0:3, B = of another document, label 1
"""

import dataclasses

import numpy as np

from kbert.pretraining.token_store import TokenStore


@dataclasses.dataclass(frozen=True)
class SentencePairs:
    """Pairs as token ranges of the store; arrays of equal length.

    Attributes:
        a_start, a_stop, b_start, b_stop: int64; A and B are those slices of
            `store.tokens`, before truncation.
        is_random: bool; True where B comes from another document (label 1).
        budget: int64; the most tokens that A and B may have together.
    """

    a_start: np.ndarray
    a_stop: np.ndarray
    b_start: np.ndarray
    b_stop: np.ndarray
    is_random: np.ndarray
    budget: np.ndarray

    def __len__(self):
        return len(self.a_start)


def draw_pairs(
    store: TokenStore,
    documents: np.ndarray,
    max_tokens: int,
    rng: np.random.Generator,
    short_probability: float = 0.1,
) -> SentencePairs:
    """Goes once through `documents` and pairs all their sentences.

    Args:
        store: the corpus.
        documents: int (n,), which documents take part, at least two of them.
        max_tokens: budget of A and B together: sequence length less [CLS], 2 [SEP].
        rng: the source of every draw.
        short_probability: share of pairs whose budget is drawn from 2 to `max_tokens`,
            so that short inputs are known from pre-training too.

    Raises:
        ValueError: fewer than two documents.
    """
    if len(documents) < 2:
        raise ValueError(
            "Next sentence prediction needs at least 2 documents, so that B can come "
            f"from another one; the corpus has {len(documents)}. Separate documents by "
            "an empty line."
        )
    tokens = np.asarray(store.sentence_starts).tolist()
    first = store.document_starts[documents].tolist()
    stop = store.document_starts[documents + 1].tolist()
    # Drawn in bulk: one call of the generator costs as much as the rest of the loop.
    draws = _Draws(rng, max_tokens, short_probability, len(documents))
    rows = []
    for own, (sentence, end) in enumerate(zip(first, stop, strict=True)):
        while sentence < end:
            budget, u_cut, u_coin, other, u_sentence = draws.take()
            span_end = sentence + 1
            while span_end < end and tokens[span_end] - tokens[sentence] < budget:
                span_end += 1
            count = span_end - sentence
            cut = sentence + 1 + int(u_cut * max(count - 1, 1)) * (count > 1)
            is_random = count == 1 or u_coin < 0.5
            if is_random:
                other = other if other < own else other + 1
                b_first = first[other] + int(u_sentence * (stop[other] - first[other]))
                b_end = stop[other]
                wanted = max(budget - (tokens[cut] - tokens[sentence]), 1)
                b_last = b_first + 1
                while b_last < b_end and tokens[b_last] - tokens[b_first] < wanted:
                    b_last += 1
                next_sentence = cut
            else:
                b_first, b_last, next_sentence = cut, span_end, span_end
            rows.append(
                (
                    tokens[sentence],
                    tokens[cut],
                    tokens[b_first],
                    tokens[b_last],
                    is_random,
                    budget,
                )
            )
            sentence = next_sentence
    columns = np.array(rows, "int64").T
    return SentencePairs(*columns[:4], columns[4].astype(bool), columns[5])


class _Draws:
    """An endless row of draws for one pair each, made 65,536 at a time."""

    def __init__(self, rng, max_tokens, short_probability, num_documents):
        self.rng, self.num_documents = rng, num_documents
        self.max_tokens, self.short_probability = max_tokens, short_probability
        self.rows = iter(())

    def take(self):
        row = next(self.rows, None)
        if row is None:
            self.rows = self._refill()
            row = next(self.rows)
        return row

    def _refill(self, size=65536):
        rng = self.rng
        budget = np.full(size, self.max_tokens)
        is_short = rng.random(size) < self.short_probability
        budget[is_short] = rng.integers(2, self.max_tokens + 1, is_short.sum())
        others = rng.integers(0, self.num_documents - 1, size)  # the own one left out
        columns = (budget, rng.random(size), rng.random(size), others, rng.random(size))
        return zip(*(column.tolist() for column in columns), strict=True)
