"""The vectors of texts, token by token: contextual features of a frozen BERT."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np

from kbert.models.backbone import backbone_of
from kbert.models.hidden_states import hidden_states_model
from kbert.tasks.rows.packed_rows import PackedRows
from kbert.tasks.rows.vocabulary_rows import check_rows
from kbert.tasks.task import check_segments
from kbert.text.numpy_packer import pack, truncated_lengths


def extract_features(
    model: keras.Model,
    tokenizer,
    texts: Iterable[str | tuple[str, str]],
    layers: Sequence[int] = (-1,),
    attention: bool = False,
    batch_size: int = 32,
) -> Iterator[dict]:
    """The vectors that a BERT has for the tokens of texts, and where they stand.

        >>> from kbert.models.backbone import BertBackbone
        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] 영화 좋 ##다".split()
        >>> model = BertBackbone(len(tokens), num_layers=1, num_heads=1, hidden_dim=2)
        >>> [found] = extract_features(model, ReferenceTokenizer(tokens), ["영화 좋다"])
        >>> found["tokens"], found["hidden_states"].shape
        (['[CLS]', '영화', '좋', '##다', '[SEP]'], (1, 5, 2))
        >>> found["starts"].tolist(), found["limits"].tolist()
        ([0, 0, 3, 4, 0], [0, 2, 4, 5, 0])

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
            nor a pair, a pair for a model of one segment, a layer that is not there,
            `batch_size` below 1, or a vocabulary of more tokens than the model has
            rows.
    """
    check_batches(texts, batch_size)
    backbone = backbone_of(model)
    check_rows(tokenizer.vocabulary, backbone)
    length = backbone.max_sequence_length
    if tokenizer.sequence_length is not None:
        length = min(length, tokenizer.sequence_length)
    states = hidden_states_model(backbone, layers, attention)
    num_segments = backbone.num_segments
    return _features(states, tokenizer, texts, length, batch_size, num_segments)


def check_batches(texts: Iterable, batch_size: int) -> None:
    """Texts can be taken `batch_size` at a time.

    Raises:
        ValueError: one string in place of the texts, or `batch_size` below 1.
    """
    if isinstance(texts, str):
        raise ValueError(
            f"texts must be an iterable of strings; got the string {texts[:20]!r}. Put "
            "it in a list."
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")


def _features(states, tokenizer, texts, length, batch_size, num_segments):
    texts = iter(texts)
    while batch := as_pairs(itertools.islice(texts, batch_size)):
        check_segments(max(1 + (b is not None) for _, b in batch), num_segments)
        packed = packed_pairs(tokenizer, batch, length)
        rows = PackedRows.of(packed[0], tokenizer.vocabulary, length)
        outputs = states.predict_on_batch(rows.batch(np.arange(len(rows))))
        for i, n in enumerate(rows.lengths):
            row = _row(packed, i, tokenizer.vocabulary)
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


def as_pairs(texts: Iterable) -> list[tuple[str, str | None]]:
    """Texts and pairs of texts, all as pairs: (text, None).

    Raises:
        ValueError: something else among them.
    """
    return [_as_pair(text) for text in texts]


def _as_pair(text):
    if isinstance(text, str):
        return (text, None)
    if isinstance(text, tuple | list) and [type(part) for part in text] == [str, str]:
        return tuple(text)
    raise ValueError(f"A text must be a string or a pair of strings; got {text!r}.")


def packed_pairs(tokenizer, pairs, length):
    """[CLS] A [SEP] (B [SEP]) for each pair, cut as `MultiSegmentPacker` cuts.

    Returns: `PackedIds`; starts and limits in characters, int32 (N,) each, 0 where a
        token is special.
    """
    first, second = zip(*pairs)
    is_pair = np.array([b is not None for b in second])
    slices = tokenizer.slices([*first, *(b or "" for b in second)])
    begins = slices.splits[:-1].reshape(2, -1)
    lengths = np.diff(slices.splits).reshape(2, -1)
    kept = truncated_lengths(*lengths, length - 2 - is_pair)
    limits = begins[0] + kept[0], np.where(is_pair, begins[1] + kept[1], -1)
    segments = list(zip(begins, limits))
    vocabulary = tokenizer.vocabulary
    packed = pack(slices.ids, segments, vocabulary.cls_id, vocabulary.sep_id)
    places = (slices.starts, slices.limits)
    return packed, *(pack(column, segments, 0, 0).token_ids for column in places)


def _row(packed, i, vocabulary):
    """What is known of text i before the model is asked."""
    ids, starts, limits = packed
    part = slice(ids.starts[i], ids.starts[i + 1])
    return {
        "tokens": [vocabulary.id_to_token(int(id)) for id in ids.token_ids[part]],
        "token_ids": ids.token_ids[part],
        "segment_ids": ids.segment_ids[part],
        "starts": starts[part],
        "limits": limits[part],
    }
