"""`batch(step)`: a pure function of (store, seed, step)."""

import functools

import numpy as np

from kbert.pretraining.masking import mask_tokens
from kbert.pretraining.sentence_pairs import draw_pairs
from kbert.pretraining.token_store import TokenStore
from kbert.text.numpy_packer import pack, padded, truncated_lengths


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
            if wanted < 2 or count - wanted < 2:
                raise ValueError(
                    "Next sentence prediction needs at least 2 documents to train on "
                    "and 2 held out, so that B can come from another one; the corpus "
                    f"has {count}, of which held_out={self.held_out} takes {wanted}. "
                    "Add documents (an empty line separates them), or hold out fewer, "
                    "or none (--held-out 0)."
                )
        return np.flatnonzero(is_held_out == self.validation)

    @property
    def steps_per_epoch(self) -> int:
        """Batches after which every sentence has been seen about once."""
        return max(1, round(self._pairs_per_epoch / self.batch_size))

    @property
    def random_share(self) -> float:
        """Share of the first epoch's pairs whose second sentence is random (label 1).

        Half, and more where a chunk is one sentence, behind which none follows.
        """
        return float(self._epoch(0)[0].is_random.mean())

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
        segments = [(a_start, a_stop), (b_start, b_stop)]
        vocabulary = self.vocabulary
        packed = pack(self.store.tokens, segments, vocabulary.cls_id, vocabulary.sep_id)
        keep = np.arange(self.sequence_length) < np.diff(packed.starts)[:, None]
        token_ids = padded(keep, packed.token_ids, vocabulary.pad_id)
        maskable = padded(keep, ~packed.is_special, False)
        token_ids, positions, labels, is_used = mask_tokens(
            token_ids,
            maskable,
            rng,
            self.max_predictions,
            vocabulary.mask_id,
            self._random_ids,
        )
        weights = is_used * np.float32(is_used.size / max(is_used.sum(), 1))
        x = {
            "token_ids": token_ids,
            "segment_ids": padded(keep, packed.segment_ids, 0),
            "padding_mask": keep.astype("int32"),
            "mask_positions": positions,
        }
        y = {"masked_lm": labels, "next_sentence": is_random.astype("int32")}
        sample_weight = {
            "masked_lm": weights.astype("float32"),
            "next_sentence": np.ones(len(is_random), "float32"),
        }
        return x, y, sample_weight


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
    a_kept, b_kept = truncated_lengths(a, b, budget)
    a_front = rng.binomial(a - a_kept, 0.5)
    b_front = rng.binomial(b - b_kept, 0.5)
    a_start, b_start = a_start + a_front, b_start + b_front
    return a_start, a_start + a_kept, b_start, b_start + b_kept
