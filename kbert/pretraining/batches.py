"""`batch(step)`: a pure function of (store, seed, step)."""

import functools

import numpy as np

from kbert.pretraining.masking import mask_tokens
from kbert.pretraining.sentence_pairs import draw_pairs
from kbert.pretraining.token_store import TokenStore


class PretrainingBatches:
    """Pre-training batches, drawn on the fly and repeatable one by one.

    `batches.batch(step)` is the same arrays for the same (store, seed, step) and
    settings, whichever steps were asked for before and on whichever host: training can
    be taken up at any step. Each epoch pairs the sentences anew and goes through the
    pairs in a new order.

    Args:
        store: the corpus.
        vocabulary: has `cls_id`, `sep_id`, `pad_id`, `mask_id`, `special_ids` and a
            length (`kbert.Vocabulary`).
        batch_size: rows of the global batch (B).
        sequence_length: L.
        max_predictions: M; None is 15 % of the tokens, rounded.
        seed: of every draw.
        held_out: share of the documents left for validation, spread evenly.
        validation: True for the batches of exactly those documents.

    Raises:
        ValueError: fewer than two documents on the chosen side, or a sequence length
            that leaves no room for two segments.
    """

    def __init__(
        self,
        store: TokenStore,
        vocabulary,
        batch_size: int = 64,
        sequence_length: int = 128,
        max_predictions: int | None = None,
        seed: int = 0,
        held_out: float = 0.0,
        validation: bool = False,
    ):
        if sequence_length < 8:
            raise ValueError(
                "sequence_length must be at least 8, to hold [CLS] A [SEP] B [SEP]; "
                f"got {sequence_length}."
            )
        if max_predictions is None:
            max_predictions = max(1, round(0.15 * sequence_length))
        self.store = store
        self.vocabulary = vocabulary
        self.batch_size = batch_size
        self.sequence_length = sequence_length
        self.max_predictions = max_predictions
        self.seed = seed
        self.held_out = held_out
        self.validation = validation
        self.documents = self._documents()
        special = set(vocabulary.special_ids)
        ordinary = [i for i in range(len(vocabulary)) if i not in special]
        self._random_ids = np.array(ordinary, "int32")
        self._epoch = functools.lru_cache(maxsize=2)(self._draw_epoch)
        self._pairs_per_epoch = max(len(self._epoch(0)[0]), 1)

    def _documents(self):
        """Every k-th document is held out; at least two, where any is."""
        count = self.store.num_documents
        is_held_out = np.zeros(count, bool)
        if self.held_out:
            wanted = min(max(2, round(self.held_out * count)), count)
            chosen = (np.arange(wanted) + 0.5) * count / wanted
            is_held_out[chosen.astype("int64")] = True
        return np.flatnonzero(is_held_out == self.validation)

    @property
    def steps_per_epoch(self) -> int:
        """Batches after which every sentence has been seen about once."""
        return max(1, round(self._pairs_per_epoch / self.batch_size))

    def _rng(self, kind, number):
        return np.random.default_rng([self.seed, self.validation, kind, number])

    def _draw_epoch(self, epoch):
        rng = self._rng(0, epoch)
        pairs = draw_pairs(self.store, self.documents, self.sequence_length - 3, rng)
        return pairs, rng.permutation(len(pairs))

    def batch(self, step: int) -> tuple[dict, dict, dict]:
        """The batch of one optimizer step, as Keras takes it: (x, y, sample_weight).

        x: `token_ids`, `segment_ids`, `padding_mask` int32 (B, L), `mask_positions`
        int32 (B, M). y: `masked_lm` int32 (B, M), `next_sentence` int32 (B,).
        sample_weight: `masked_lm` float32 (B, M), 0 where unused and elsewhere one
        value, such that the weights of a global batch average to 1: the mean over all
        entries, which Keras takes, is then the mean over the masked tokens, also when
        the batch is split among replicas. `next_sentence` float32 (B,), all 1.
        """
        index = step * self.batch_size + np.arange(self.batch_size)
        epochs, places = np.divmod(index, self._pairs_per_epoch)
        parts = []
        for epoch in np.unique(epochs):
            pairs, order = self._epoch(int(epoch))
            rows = order[places[epochs == epoch] % len(pairs)]
            fields = ("a_start", "a_stop", "b_start", "b_stop", "is_random", "budget")
            parts.append([getattr(pairs, field)[rows] for field in fields])
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return self._assemble(*columns, self._rng(1, step))

    def _assemble(self, a_start, a_stop, b_start, b_stop, is_random, budget, rng):
        a_start, a_stop, b_start, b_stop = truncate_pairs(
            a_start, a_stop, b_start, b_stop, budget, rng
        )
        token_ids, segment_ids, maskable = self._pack(a_start, a_stop, b_start, b_stop)
        padding_mask = (token_ids >= 0).astype("int32")
        token_ids = np.where(token_ids >= 0, token_ids, self.vocabulary.pad_id)
        token_ids, positions, labels, is_used = mask_tokens(
            token_ids,
            maskable,
            rng,
            self.max_predictions,
            self.vocabulary.mask_id,
            self._random_ids,
        )
        weights = is_used * np.float32(is_used.size / max(is_used.sum(), 1))
        x = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
            "mask_positions": positions,
        }
        y = {"masked_lm": labels, "next_sentence": is_random.astype("int32")}
        sample_weight = {
            "masked_lm": weights.astype("float32"),
            "next_sentence": np.ones(len(is_random), "float32"),
        }
        return x, y, sample_weight

    def _pack(self, a_start, a_stop, b_start, b_stop):
        """[CLS] A [SEP] B [SEP], -1 for padding; see `kbert.features` for an example.

        Returns: token_ids int32 (B, L), segment_ids int32 (B, L), and bool (B, L), True
            where a token of A or B stands.
        """
        place = np.arange(self.sequence_length)
        a_start, a_stop, b_start, b_stop = (
            column[:, None] for column in (a_start, a_stop, b_start, b_stop)
        )
        b_place = a_stop - a_start + 2  # where B begins
        end = b_place + b_stop - b_start  # where the last [SEP] stands
        in_a = (place >= 1) & (place < b_place - 1)
        in_b = (place >= b_place) & (place < end)
        source = np.where(in_a, a_start + place - 1, b_start + place - b_place)
        maskable = in_a | in_b
        token_ids = np.full(maskable.shape, -1, "int32")
        token_ids[maskable] = self.store.tokens[source[maskable]]
        token_ids[:, 0] = self.vocabulary.cls_id
        token_ids[(place == b_place - 1) | (place == end)] = self.vocabulary.sep_id
        segment_ids = ((place >= b_place) & (place <= end)).astype("int32")
        return token_ids, segment_ids, maskable


def truncate_pairs(a_start, a_stop, b_start, b_stop, budget, rng):
    """Shortens A and B to `budget` tokens together, from random ends.

    google-research/bert's `truncate_seq_pair` pops one token at a time from the longer
    segment (from B on a tie), front or back by a coin. Here: closed form, all rows.

    A = 0:6 and B = 10:13 keep 3 + 2 tokens of budget 5; about half of what A loses goes
    from the front:

        >>> a_start, a_stop, b_start, b_stop = map(np.array, ([0], [6], [10], [13]))
        >>> rng = np.random.default_rng(0)
        >>> truncate_pairs(a_start, a_stop, b_start, b_stop, 5, rng)
        (array([2]), array([5]), array([10]), array([12]))
    """
    a, b = a_stop - a_start, b_stop - b_start
    a_kept = np.minimum(a, np.maximum(budget - b, budget - budget // 2))
    b_kept = np.minimum(b, budget - a_kept)
    a_front = rng.binomial(a - a_kept, 0.5)
    b_front = rng.binomial(b - b_kept, 0.5)
    a_start, b_start = a_start + a_front, b_start + b_front
    return a_start, a_start + a_kept, b_start, b_start + b_kept
