"""What a pre-trained model would put in place of [MASK]."""

import keras
import numpy as np

from kbert.disk.text_lines import whole_characters
from kbert.tasks.rows.vocabulary_rows import check_rows
from kbert.text.numpy_packer import pack


def packed_with_masks(text: str, tokenizer) -> np.ndarray:
    """[CLS] text [SEP], where each "[MASK]" in the text is the mask token, int32 (L,).

    Elsewhere in kbert special tokens typed into a text are plain text; here the mask,
    as the vocabulary spells it, is what was asked for.

        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokenizer = ReferenceTokenizer("[PAD] [UNK] [CLS] [SEP] [MASK] a b".split())
        >>> packed_with_masks("a [MASK]b", tokenizer).tolist()
        [2, 5, 4, 6, 3]

    Raises:
        ValueError: the text holds no [MASK].
    """
    vocabulary = tokenizer.vocabulary
    mask = vocabulary.mask_token
    if mask not in text:
        raise ValueError(f"Expected a text with {mask} in it; got {text!r}.")
    (ids,) = tokenizer.with_special_tokens_in_text([mask]).ids(text)
    segment = np.array([0]), np.array([len(ids)])
    ids = np.array(ids, "int32")
    return pack(ids, [segment], vocabulary.cls_id, vocabulary.sep_id).token_ids


def is_filling(vocabulary, num_rows: int) -> np.ndarray:
    """Which rows of the token embedding may be put into a text, bool (num_rows,).

    Special tokens may not, whatever the model thinks of them, nor rows behind the
    vocabulary's, with which some models are filled up to a round number.

        >>> from kbert.text.vocabulary import Vocabulary
        >>> vocabulary = Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] a b".split())
        >>> np.flatnonzero(is_filling(vocabulary, num_rows=8)).tolist()
        [5, 6]
    """
    rows = np.arange(num_rows)
    return (rows < len(vocabulary)) & ~np.isin(rows, vocabulary.special_ids)


def fill_masks(model, tokenizer, text: str, top_k: int = 5) -> list[list[dict]]:
    """The likeliest tokens at each [MASK] of one text.

    Args:
        model: a `BertPretrainer`.
        tokenizer: its tokenizer, of any class.
        text: with one [MASK] or more.
        top_k: candidates per mask, special tokens not counted (`is_filling`).

    Returns: for each mask, dicts of `token`, `score` (its probability among all rows of
        the token embedding), `filled` (the text with this token there), the likeliest
        first.

    Raises:
        ValueError: no [MASK], more tokens than the model has positions, or a vocabulary
            of more tokens than it has rows.
    """
    check_rows(tokenizer.vocabulary, model.backbone)
    text = whole_characters(text)
    ids = packed_with_masks(text, tokenizer)[None]  # (1, L)
    longest = model.backbone.max_sequence_length
    if ids.shape[1] > longest:
        raise ValueError(
            f"Expected a text of at most {longest} tokens; it has {ids.shape[1]}. "
            "Shorten it."
        )
    positions = np.flatnonzero(ids[0] == tokenizer.vocabulary.mask_id)[None]
    inputs = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
        "mask_positions": positions.astype("int32"),
    }
    logits = model(inputs, training=False)["masked_lm"]
    logits = keras.ops.convert_to_numpy(logits)[0].astype("float64")  # (M, V)
    scores = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    fillings = np.flatnonzero(is_filling(tokenizer.vocabulary, scores.shape[1]))
    mask = tokenizer.vocabulary.mask_token
    parts = text.split(mask)
    results = []
    for i, row in enumerate(scores):
        before, after = mask.join(parts[: i + 1]), mask.join(parts[i + 1 :])
        candidates = []
        for token_id in fillings[np.argsort(-row[fillings])][:top_k]:
            token = tokenizer.vocabulary.id_to_token(int(token_id))
            candidates.append(
                {
                    "token": token,
                    "score": float(row[token_id]),
                    "filled": tokenizer.filled(before, token, after),
                }
            )
        results.append(candidates)
    return results
