"""What a pre-trained model would put in place of [MASK]."""

import keras
import numpy as np

from kbert.text.sentencepiece_model import WORD_START
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer


def packed_with_masks(text: str, tokenizer) -> list[int]:
    """[CLS] text [SEP], where each "[MASK]" in the text is the mask token.

    Elsewhere in kbert special tokens typed into a text are plain text; here the mask,
    as the vocabulary spells it, is what was asked for.

        "a [MASK]b", a=7, b=9 -> [2, 7, 4, 9, 3]

    Raises:
        ValueError: the text holds no [MASK].
    """
    vocabulary = tokenizer.vocabulary
    mask = vocabulary.mask_token
    if mask not in text:
        raise ValueError(f"Expected a text with {mask} in it; got {text!r}.")
    config = tokenizer.get_config() | {"special_tokens_in_text": [mask]}
    (ids,) = type(tokenizer).from_config(config)([text]).to_list()
    return [vocabulary.cls_id, *ids, vocabulary.sep_id]


def with_token(before: str, token: str, after: str, tokenizer) -> str:
    """The text with a token in place of the mask between `before` and `after`.

    WordPiece      "영화 ", "좋", "다" -> "영화 좋다";   "영화 ", "##가", "" -> "영화가"
    SentencePiece  "영화 ", "▁좋", "다" -> "영화 좋다";  "영화 ", "가", "" -> "영화가"
    """
    if isinstance(tokenizer, SentencePieceTokenizer):
        shown = before.rstrip() + token.replace(WORD_START, " ")
        return (shown if before.strip() else shown.lstrip()) + after
    if token.startswith("##"):
        return before.rstrip() + token[2:] + after
    return before + token + after


def fill_masks(model, tokenizer, text: str, top_k: int = 5) -> list[list[dict]]:
    """The likeliest tokens at each [MASK] of one text.

    Args:
        model: a `BertPretrainer`.
        tokenizer: a `BertTokenizer` or `SentencePieceTokenizer`.
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
    mask = tokenizer.vocabulary.mask_token
    parts = text.split(mask)
    results = []
    for i, row in enumerate(scores):
        before, after = mask.join(parts[: i + 1]), mask.join(parts[i + 1 :])
        candidates = []
        for token_id in np.argsort(-row)[:top_k]:
            token = tokenizer.vocabulary.id_to_token(int(token_id))
            candidates.append(
                {
                    "token": token,
                    "score": float(row[token_id]),
                    "filled": with_token(before, token, after, tokenizer),
                }
            )
        results.append(candidates)
    return results
