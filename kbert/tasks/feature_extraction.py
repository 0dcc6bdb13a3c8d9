"""The vectors of texts, token by token: contextual features of a frozen BERT."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np

from kbert.models.backbone import backbone_of
from kbert.models.hidden_states import hidden_states_model
from kbert.tasks.rows.packed_rows import PackedRows
from kbert.text.packer import truncated_lengths
from kbert.text.preprocessor import BertPreprocessor
from kbert.text.reference_tokenizer import ReferenceTokenizer


def extract_features(
    model: keras.Model,
    tokenizer,
    texts: Iterable[str | tuple[str, str]],
    layers: Sequence[int] = (-1,),
    attention: bool = False,
    batch_size: int = 32,
) -> Iterator[dict]:
    """The vectors that a BERT has for the tokens of texts, and where they stand.

        ["영화 좋다"] -> tokens [CLS] 영화 좋 ##다 [SEP], starts [0, 0, 3, 4, 0],
            limits [0, 2, 4, 5, 0], hidden_states (1, 5, D)

    Args:
        model: a `BertBackbone`, or a model with a head on one; its head is not used.
        tokenizer: its `BertTokenizer`, `SentencePieceTokenizer` or
            `ReferenceTokenizer`, and texts are cut to the model's longest input; or a
            `BertPreprocessor`, whose `sequence_length` they are cut to if it is
            shorter.
        texts: strings, or pairs (text A, text B); read a batch at a time.
        layers: 0 for the embeddings' output, 1 to `num_layers` for that of a block;
            from the end -1, -2 and so on.
        attention: whether to give the attention maps of every block, too; a batch of
            them takes 4 B H L² bytes for each block.
        batch_size: texts computed at once; each batch is as long as its longest text.

    Returns: for each text, in order, a dict of arrays over its L tokens, special ones
        counted and padding left out.
        tokens: list of L strings, as the vocabulary spells them.
        token_ids, segment_ids: int32 (L,).
        starts, limits: int32 (L,): `text[start:limit]` is what a token was made of, in
            characters of its text (text B where segment_ids is 1); 0 and 0 for [CLS]
            and [SEP].
        hidden_states: float32 (len(layers), L, D).
        attentions: float32 (num_layers, H, L, L), [l, h, i, j] what i pays to j; None
            without `attention`.

    Raises:
        ValueError: one string in place of the texts, a text that is neither a string
            nor a pair, a layer that is not there, or `batch_size` below 1.
    """
    if isinstance(texts, str):
        raise ValueError(
            f"texts must be an iterable of strings; got the string {texts[:20]!r}. Put "
            "it in a list."
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    backbone = backbone_of(model)
    length = backbone.max_sequence_length
    if isinstance(tokenizer, BertPreprocessor):
        length = min(length, tokenizer.sequence_length)
        tokenizer = tokenizer.tokenizer
    states = hidden_states_model(backbone, layers, attention)
    return _features(states, tokenizer, texts, length, batch_size)


def _features(states, tokenizer, texts, length, batch_size):
    texts = iter(texts)
    while batch := [_as_pair(t) for t in itertools.islice(texts, batch_size)]:
        packed = _packed(tokenizer, batch, length)
        rows = PackedRows(
            np.concatenate([row["token_ids"] for row in packed]),
            np.concatenate([row["segment_ids"] for row in packed]),
            np.cumsum([0, *(len(row["tokens"]) for row in packed)]),
            tokenizer.vocabulary.pad_id,
            length,
        )
        outputs = states.predict_on_batch(rows.batch(np.arange(len(rows))))
        for i, row in enumerate(packed):
            n = len(row["tokens"])
            row["hidden_states"] = _in_float32(
                [x[i, :n] for x in outputs["hidden_states"]]
            )
            row["attentions"] = None
            if "attentions" in outputs:
                row["attentions"] = _in_float32(
                    [x[i, :, :n, :n] for x in outputs["attentions"]]
                )
            yield row


def _in_float32(arrays):
    return np.stack([np.asarray(array, "float32") for array in arrays])


def _as_pair(text):
    """A text as (text, None)."""
    if isinstance(text, str):
        return (text, None)
    if isinstance(text, tuple | list) and [type(part) for part in text] == [str, str]:
        return tuple(text)
    raise ValueError(f"A text must be a string or a pair of strings; got {text!r}.")


def _packed(tokenizer, pairs, length):
    """[CLS] A [SEP] (B [SEP]) for each pair, cut as `MultiSegmentPacker` cuts."""
    vocabulary = tokenizer.vocabulary
    first = _located(tokenizer, [a for a, _ in pairs])
    second = _located(tokenizer, ["" if b is None else b for _, b in pairs])
    cls, sep = (vocabulary.cls_id, 0, 0), (vocabulary.sep_id, 0, 0)
    rows = []
    for (_, text_b), a, b in zip(pairs, first, second):
        budget = length - (2 if text_b is None else 3)
        kept_a, kept_b = map(int, truncated_lengths(len(a), len(b), budget))
        parts = [[cls, *a[:kept_a], sep]]
        if text_b is not None:
            parts.append([*b[:kept_b], sep])
        located = np.array([token for part in parts for token in part], "int32")
        rows.append(
            {
                "tokens": [vocabulary.id_to_token(int(id)) for id in located[:, 0]],
                "token_ids": located[:, 0],
                "segment_ids": np.repeat(
                    np.arange(len(parts), dtype="int32"), [len(part) for part in parts]
                ),
                "starts": located[:, 1],
                "limits": located[:, 2],
            }
        )
    return rows


def _located(tokenizer, texts):
    """(id, start, limit) of each token of each text."""
    if isinstance(tokenizer, ReferenceTokenizer):
        return [tokenizer.tokenize_with_offsets(text) for text in texts]
    parts = [part.to_list() for part in tokenizer.tokenize_with_offsets(texts)]
    return [list(zip(*row)) for row in zip(*parts)]
