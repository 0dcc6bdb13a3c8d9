"""A trained model under another vocabulary: its rows move along with their tokens."""

from collections.abc import Sequence

import keras
import numpy as np

from kbert.models.backbone import backbone_of
from kbert.models.surgery import all_weights, token_weights, with_sizes
from kbert.text.vocabulary import Vocabulary
from kbert.text.vocabulary_change import as_reference


def with_vocabulary(
    model: keras.Model, tokenizer, vocabulary: Vocabulary
) -> keras.Model:
    """A new model of the same class and settings, with a row for each new token.

    Of the token embedding, and of the masked language model's bias where there is one,
    a token of both vocabularies keeps its row, bit for bit; a token of the new one
    alone gets the mean of the rows of its former pieces; the others are left out. All
    other weights are the same. Rows of the old table that no token reaches (padding to
    a round number) are left out too. Special tokens are matched by their part, so that
    a [PAD] spelled `<pad>` in the new vocabulary keeps its row.

    With "play" and "##ing" in the old vocabulary and "playing" in the new one,

        row of "playing" = (row of "play" + row of "##ing") / 2

    Args:
        model: a `BertBackbone`, or a model with a head on one (its `backbone`); it
            stays as it is.
        tokenizer: the model's own `ReferenceTokenizer` or `BertTokenizer`, with the old
            vocabulary.
        vocabulary: the new one, as `extend_vocabulary` and `prune_vocabulary` give it.

    Returns: the new model, uncompiled; the decoder of a `BertPretrainer` is tied to the
        new table.

    Raises:
        ValueError: the tokenizer's vocabulary has more tokens than the model has rows.
    """
    backbone = backbone_of(model)
    if len(tokenizer.vocabulary) > backbone.vocabulary_size:
        raise ValueError(
            f"Expected the tokenizer of this model, of at most "
            f"{backbone.vocabulary_size} tokens; it has {len(tokenizer.vocabulary)}."
        )
    new = with_sizes(model, vocabulary_size=len(vocabulary))
    sources = row_sources(tokenizer, vocabulary)
    moved = {id(variable) for variable in token_weights(model)}
    for old, variable in zip(all_weights(model), all_weights(new), strict=True):
        value = keras.ops.convert_to_numpy(old)
        variable.assign(_moved(value, sources) if id(old) in moved else value)
    return new


def row_sources(tokenizer, vocabulary: Vocabulary) -> list[list[int]]:
    """For each token of a new vocabulary, the old ids whose mean is its row.

    A token that the old tokenizer cuts is made of those pieces; one that begins with
    "##" is cut as the continuation of a word. A word of it that the old vocabulary
    cannot make counts as one unknown token, as it did in a text.

        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        >>> old = ReferenceTokenizer([*special, "play", "##ing", "a"])
        >>> row_sources(old, Vocabulary([*special, "playing", "a", "x"]))
        [[0], [1], [2], [3], [4], [5, 6], [7], [1]]

    Args:
        tokenizer: the old one, a `ReferenceTokenizer` or `BertTokenizer`.
        vocabulary: the new one.
    """
    tokenizer = as_reference(tokenizer)
    old = tokenizer.vocabulary
    former = dict(zip(vocabulary.special_tokens, old.special_tokens, strict=True))
    sources = []
    for token in vocabulary.tokens:
        token = former.get(token, token)
        if token in old:
            sources.append([old.token_to_id(token)])
            continue
        ids = []
        for i, word in enumerate(tokenizer.words(token.removeprefix("##"))):
            starts = i > 0 or not token.startswith("##")
            pieces, is_whole = old.cut(word, starts)
            if is_whole:
                ids += map(old.token_to_id, pieces)
            else:
                ids.append(old.unknown_id)
        sources.append(ids or [old.unknown_id])
    return sources


def _moved(table: np.ndarray, sources: Sequence[Sequence[int]]) -> np.ndarray:
    """Rows by their sources: (V, D) -> (V', D), and (V,) -> (V',).

        >>> _moved(np.array([1.0, 2, 4]), sources=[[2], [0, 1]]).tolist()
        [4.0, 1.5]

    A row of one source is copied; means are taken in float32.
    """
    moved = table[[ids[0] for ids in sources]]
    for row, ids in enumerate(sources):
        if len(ids) > 1:
            moved[row] = table[list(ids)].astype("float32").mean(axis=0)
    return moved
