"""One vector for each text, by the model's own pooling: for search and clustering."""

import itertools
from collections.abc import Iterable

import keras
import numpy as np

from kbert.models.backbone import backbone_of
from kbert.models.text_vectors import TextVectors
from kbert.tasks.feature_extraction import as_pairs, check_batches, packed_pairs
from kbert.tasks.rows.packed_rows import PackedRows
from kbert.tasks.rows.vocabulary_rows import check_rows


def embed(
    model: keras.Model,
    tokenizer,
    texts: Iterable[str],
    pooling: str | None = None,
    normalize: bool | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """The vectors of texts.

        >>> from kbert.models.backbone import BertBackbone
        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] 영화 좋 ##다".split()
        >>> model = BertBackbone(len(tokens), num_layers=1, num_heads=1, hidden_dim=2)
        >>> embed(model, ReferenceTokenizer(tokens), ["영화 좋다", "영화"]).shape
        (2, 2)

    Args:
        model: a `BertBackbone`, or a model with a head on one; its head is not used.
        tokenizer: its tokenizer, of any class.
        texts: strings; read a batch at a time.
        pooling: one of `kbert.signatures.POOLINGS`. By default what the directory says
            that the model was loaded from, if it is one of sentence-transformers
            (`backbone.text_vectors`), else the mean.
        normalize: whether vectors are scaled to the length 1. By default as the
            directory says, else not.
        batch_size: texts computed at once.

    Returns: float32 (N, E), of N texts; E is D unless poolings stand side by side or
        the model has a projection.

    Raises:
        ValueError: another pooling, one string in place of the texts, `batch_size`
            below 1, or a vocabulary of more tokens than the model has rows.
    """
    check_batches(texts, batch_size)
    backbone = backbone_of(model)
    check_rows(tokenizer.vocabulary, backbone)
    vectors = (backbone.text_vectors or TextVectors()).with_options(pooling, normalize)
    dim = vectors.dim(backbone.hidden_dim)
    length = text_length(vectors, backbone)
    skipped = num_prompt_tokens(vectors, tokenizer)
    texts, found = iter(texts), [np.zeros((0, dim), "float32")]
    while batch := list(itertools.islice(texts, batch_size)):
        pairs = as_pairs(vectors.prompt + text for text in batch)
        packed = packed_pairs(tokenizer, pairs, length)
        rows = PackedRows.of(packed[0], tokenizer.vocabulary, length)
        inputs = rows.batch(np.arange(len(rows)))
        states = backbone.predict_on_batch(inputs)["sequence_output"]
        pooled = vectors(states, inputs["padding_mask"], skipped)
        found.append(keras.ops.convert_to_numpy(pooled))
    return np.concatenate(found)


def text_length(vectors: TextVectors, backbone) -> int:
    """Tokens that a text is cut to, special ones counted."""
    longest = backbone.max_sequence_length
    return min(longest, vectors.sequence_length or longest)


def num_prompt_tokens(vectors: TextVectors, tokenizer) -> int:
    """Tokens of the prompt, [CLS] counted; 0 without a prompt."""
    if not vectors.prompt:
        return 0
    (ids,) = tokenizer.ids([vectors.prompt])
    return 1 + len(ids)
