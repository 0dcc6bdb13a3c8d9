"""Raw strings to the dense inputs of a BERT, as one layer."""

import keras

# Keras finds in a file only what is imported: both tokenizers come with this layer.
import kbert.text.sentencepiece_tokenizer
import kbert.text.tokenizer  # noqa: F401
from kbert.features import BACKBONE_INPUTS
from kbert.text.packer import MultiSegmentPacker
from kbert.text.tokenizer_protocol import Tokenizer


@keras.saving.register_keras_serializable(package="kbert")
class BertPreprocessor(keras.layers.Layer):
    """Texts, or pairs of texts, to `token_ids`, `segment_ids` and `padding_mask`.

    Tokenizes as the tokenizer does, packs with `MultiSegmentPacker`. Works eagerly, in
    `tf.data`, and in a functional model from `keras.Input((), dtype="string")` on.

    A list of strings is one batch of texts; a tuple is a text A and a text B per
    example: `(["a1", "a2"], ["b1", "b2"])`. A list of tensors or arrays counts as a
    tuple, since Keras turns tuples of inputs into lists.

        >>> from kbert.text.tokenizer import BertTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed".split()
        >>> tokenizer = BertTokenizer(tokens, lowercase=True)
        >>> preprocessor = BertPreprocessor(tokenizer, sequence_length=6)
        >>> for name, rows in preprocessor((["embed"], ["em"])).items():
        ...     print(name, rows.numpy().tolist())
        token_ids    [[2, 5, 6, 3, 5, 3]]
        segment_ids  [[0, 0, 0, 0, 1, 1]]
        padding_mask [[1, 1, 1, 1, 1, 1]]

    Args:
        tokenizer: a `BertTokenizer` or `SentencePieceTokenizer`, or the dict that Keras
            serialized it to.
        sequence_length: L, in tokens, special ones counted.

    Raises:
        ValueError: a tokenizer of another class, strings that do not come as (B,), or
            a `sequence_length` too small for the segments.
    """

    def __init__(self, tokenizer, sequence_length=128, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer = _in_graph(tokenizer)
        self.sequence_length = sequence_length
        self.vocabulary = vocabulary = tokenizer.vocabulary
        self.packer = MultiSegmentPacker(
            sequence_length,
            cls_id=vocabulary.cls_id,
            sep_id=vocabulary.sep_id,
            pad_id=vocabulary.pad_id,
        )
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

    def call(self, texts):
        """Texts (B,), or a tuple of one or two of them -> dict of int32 (B, L)."""
        return self.packer(tuple(self.tokenizer(text) for text in _segments(texts)))

    def compute_output_spec(self, texts):
        rows = _segments(texts)[0].shape[0]
        return {
            feature.name: keras.KerasTensor(
                (rows, self.sequence_length), feature.dtype, name=feature.name
            )
            for feature in BACKBONE_INPUTS
        }

    def slices(self, texts):
        """`TokenSlices` of the texts, not cut and without special tokens."""
        return self.tokenizer.slices(texts)

    def get_config(self):
        return {
            **super().get_config(),
            "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
            "sequence_length": self.sequence_length,
        }


def _in_graph(value):
    """A tokenizer that is a Keras layer, or what Keras made of one."""
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if not (isinstance(value, Tokenizer) and value.in_graph):
        raise ValueError(
            "tokenizer must be a BertTokenizer or a SentencePieceTokenizer; got "
            f"{value!r}."
        )
    return value


def _segments(texts) -> tuple:
    """A list is one segment, a tuple one or two of them.

    >>> _segments(["a", "b"]), _segments((["a"], ["b"]))
    ((['a', 'b'],), (['a'], ['b']))
    """
    if isinstance(texts, tuple):
        return texts
    if isinstance(texts, list) and texts and not isinstance(texts[0], str | bytes):
        return tuple(texts)
    return (texts,)
