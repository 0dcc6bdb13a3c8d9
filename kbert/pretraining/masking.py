"""Which tokens are hidden, and by what: 15 %, of these 80/10/10."""

import numpy as np


def mask_tokens(
    token_ids: np.ndarray,
    maskable: np.ndarray,
    rng: np.random.Generator,
    max_predictions: int,
    mask_id: int,
    random_ids: np.ndarray,
    masked_share: float = 0.15,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draws the masked positions of a batch (paper, 3.1, task 1).

    Each row gets round(share x its maskable tokens) positions, at least 1 and at most
    `max_predictions`. Of them 80 % become [MASK], 10 % a random token, 10 % stay. Where
    we leave google-research/bert: the random token is never a special one.

        >>> token_ids = np.array([[2, 7, 8, 9, 3]])
        >>> maskable = np.array([[0, 1, 1, 1, 0]])
        >>> rng, other_ids = np.random.default_rng(2), np.arange(5, 10)
        >>> parts = mask_tokens(token_ids, maskable, rng, 2, 4, other_ids)  # 4 = [MASK]
        >>> [part.tolist() for part in parts]  # token_ids, positions, labels, is_used
        [[[2, 7, 4, 9, 3]], [[2, 0]], [[8, 0]], [[True, False]]]

    Args:
        token_ids: int32 (B, L); not changed.
        maskable: bool (B, L); True at ordinary tokens, False at [CLS], [SEP], padding.
        rng: the source of every draw.
        max_predictions: M.
        mask_id: id of [MASK].
        random_ids: int32 (n,), the ids that a random token may be.
        masked_share: share of the maskable tokens that is predicted.

    Returns: token_ids int32 (B, L) with tokens hidden; positions int32 (B, M), rising,
        0 where unused; labels int32 (B, M), 0 where unused; is_used bool (B, M).
    """
    num_rows, length = token_ids.shape
    num_maskable = maskable.sum(axis=1)
    wanted = np.rint(masked_share * num_maskable).astype("int64")
    num_masked = np.minimum(np.clip(wanted, 1, max_predictions), num_maskable)

    # The smallest of random keys: a draw without replacement, for all rows at once.
    keys = np.where(maskable, rng.random((num_rows, length), "float32"), 2.0)
    chosen = np.argsort(keys, axis=1)[:, :max_predictions]
    if chosen.shape[1] < max_predictions:
        missing = max_predictions - chosen.shape[1]
        chosen = np.pad(chosen, ((0, 0), (0, missing)))
    is_used = np.arange(max_predictions) < num_masked[:, None]
    chosen = np.sort(np.where(is_used, chosen, length), axis=1)  # used ones first
    positions = np.where(is_used, chosen, 0).astype("int32")
    labels = np.take_along_axis(token_ids, positions, axis=1)
    labels = np.where(is_used, labels, 0).astype("int32")

    kind = rng.random(positions.shape)
    other = random_ids[rng.integers(0, len(random_ids), positions.shape)]
    shown = np.where(kind < 0.8, mask_id, np.where(kind < 0.9, other, labels))
    rows = np.broadcast_to(np.arange(num_rows)[:, None], positions.shape)
    hidden = token_ids.copy()
    hidden[rows[is_used], positions[is_used]] = shown[is_used]
    return hidden, positions, labels, is_used
