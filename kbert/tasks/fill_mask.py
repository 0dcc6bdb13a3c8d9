"""What a pre-trained model would put in place of [MASK]."""

import keras
import numpy as np

MASK = "[MASK]"


def packed_with_masks(text: str, tokenizer) -> list[int]:
    """[CLS] text [SEP], where each "[MASK]" in the text is the mask token.

    Elsewhere in kbert special tokens typed into a text are plain text; here they are
    what was asked for.

        "a [MASK]b", a=7, b=9 -> [2, 7, 4, 9, 3]

    Raises:
        ValueError: the text holds no [MASK].
    """
    parts = text.split(MASK)
    if len(parts) < 2:
        raise ValueError(f"Expected a text with {MASK} in it; got {text!r}.")
    vocabulary = tokenizer.vocabulary
    ids = [vocabulary.cls_id]
    for i, part in enumerate(tokenizer(parts).to_list()):
        ids += [vocabulary.mask_id] * (i > 0) + part
    return [*ids, vocabulary.sep_id]


def fill_masks(model, tokenizer, text: str, top_k: int = 5) -> list[list[dict]]:
    """The likeliest tokens at each [MASK] of one text.

    Args:
        model: a `BertPretrainer`.
        tokenizer: a `BertTokenizer`.
        text: with one [MASK] or more.
        top_k: candidates per mask.

    Returns: for each mask, dicts of `token`, `score` (probability), `filled` (the text
        with this token there), the likeliest first.

    Raises:
        ValueError: no [MASK], or more tokens than the model has positions.
    """
    ids = np.array([packed_with_masks(text, tokenizer)], "int32")
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
    parts = text.split(MASK)
    results = []
    for i, row in enumerate(scores):
        before, after = MASK.join(parts[: i + 1]), MASK.join(parts[i + 1 :])
        candidates = []
        for token_id in np.argsort(-row)[:top_k]:
            token = tokenizer.vocabulary.id_to_token(int(token_id))
            shown = before.rstrip() + token[2:] if token[:2] == "##" else before + token
            candidates.append(
                {
                    "token": token,
                    "score": float(row[token_id]),
                    "filled": shown + after,
                }
            )
        results.append(candidates)
    return results
