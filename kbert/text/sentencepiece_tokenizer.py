"""SentencePiece as TensorFlow ops: strings in, ragged ids out."""

import dataclasses

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.graph_added_tokens import GraphAddedTokenSplitter
from kbert.text.graph_strings import (
    as_strings,
    ids_of,
    located_of,
    slices_of,
    stripped_left,
    stripped_right,
    texts_of,
    to_bytes,
)
from kbert.text.normalizer import as_utf8
from kbert.text.sentencepiece_model import (
    UNKNOWN,
    WORD_START,
    as_base64,
    read_model,
    vocabulary_of,
)
from kbert.text.vocabulary import SPECIAL_TOKENS

UNITS = ("characters", "bytes")
# What stands in a text where a piece has "▁": white space, and what the normalisers
# that come with SentencePiece make a space or drop (U+200B to U+200F, U+FEFF, …).
_LEADING_SPACE = r"^[\s\p{Z}\p{Cc}\p{Cf}\x{2581}\x{fffd}]+"


@keras.saving.register_keras_serializable(package="kbert")
class SentencePieceTokenizer(keras.layers.Layer):
    """Strings (B,) to ragged SentencePiece ids int32 (B, None), inside the graph.

    For KoBERT and its kin: the interface of `kbert.BertTokenizer`, also in Python
    (`kbert.text.tokenizer_protocol`), the pieces of google/sentencepiece. Text is
    normalised as the model says. It leaves the reference in this: special tokens typed
    into a text are text, also those that the model lists as user-defined; and of
    segmentations equally likely, as "." "..." and "..." ".", it takes the one that the
    library took up to version 0.2.1. No [CLS] or [SEP] is added:
    that is the packer's part.

        pieces <unk> [PAD] [CLS] [SEP] [MASK] ▁ 가 ▁나 다
            ["가 나다", ""] -> [[5, 6, 7, 8], []]

    Args:
        model: the path of a `.model` file, its bytes, or these as base64 text. The
            config holds the text, so a `.keras` file needs no other file.
        vocabulary: None if a piece's place in the model is its id; else the list that
            gives the ids, as KoBERT has it: a `Vocabulary`, the path of a `vocab.txt`
            or of GluonNLP's `vocab.json`, or a list of tokens.
        pad_token, unknown_token, cls_token, sep_token, mask_token: how these are
            spelled there. Without a `vocabulary`, the unknown token is the model's own
            and the pad token too, where `pad_token` is no piece: "<unk>" and "<pad>".
        special_tokens_in_text: True to take special tokens typed into a text for what
            they spell; or the list of those. White space before one belongs to it,
            since [MASK] stands for a word: "나 [MASK]는" -> ▁나 [MASK] 는.

    Raises:
        FileNotFoundError: `model` is neither a file nor base64 text.
        ValueError: not a SentencePiece model, a special token missing, a vocabulary
            of another model, or strings that do not come as (B,).
    """

    is_sentencepiece = True
    in_graph = True
    sequence_length = None

    def __init__(
        self,
        model,
        vocabulary=None,
        pad_token=SPECIAL_TOKENS["pad_token"],
        unknown_token=SPECIAL_TOKENS["unknown_token"],
        cls_token=SPECIAL_TOKENS["cls_token"],
        sep_token=SPECIAL_TOKENS["sep_token"],
        mask_token=SPECIAL_TOKENS["mask_token"],
        special_tokens_in_text=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        original = read_model(model)
        self.vocabulary = vocabulary_of(
            original,
            vocabulary,
            pad_token=pad_token,
            unknown_token=unknown_token,
            cls_token=cls_token,
            sep_token=sep_token,
            mask_token=mask_token,
        )
        self.model = as_base64(original)
        self.has_own_vocabulary = vocabulary is not None
        for name in SPECIAL_TOKENS:
            setattr(self, name, getattr(self.vocabulary, name))
        special = self.vocabulary.special_tokens
        typed = self.vocabulary.special_tokens_asked(special_tokens_in_text)
        is_list = not isinstance(special_tokens_in_text, bool)
        self.special_tokens_in_text = list(typed) if is_list else bool(typed)
        # Strings reach `call` as they come, and XLA has no strings.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

        self._splitter = None
        if self.vocabulary.added_tokens:
            # A model normalises text by rules of its own: they are found as typed.
            added = (
                dataclasses.replace(token, normalized=False)
                for token in self.vocabulary.added_tokens
            )
            self._splitter = GraphAddedTokenSplitter(added, self.vocabulary)
        used = original.with_special_tokens(special, typed)
        self._drops_space = bool(typed)
        self._pieces = tf_text.SentencepieceTokenizer(used.data, out_type=tf.int32)
        # The model numbers its pieces; what leaves this layer are the vocabulary's ids.
        unknown = self.vocabulary.unknown_id
        ids = [
            unknown if kind == UNKNOWN else self.vocabulary.token_to_id(piece)
            for piece, kind in zip(used.pieces, used.kinds, strict=True)
        ]
        numbers = {piece: number for number, piece in enumerate(used.pieces)}
        self._ids = tf.constant(ids)  # (P,)
        self._numbers = tf.constant(  # (V,), -1 where the model has no such piece
            [numbers.get(token, -1) for token in self.vocabulary.tokens]
        )
        self._starts_word = tf.constant([p.startswith(WORD_START) for p in used.pieces])
        self._is_typed = tf.constant([p in typed for p in used.pieces])
        self._space = numbers.get(WORD_START, -1)
        self._tokens = tf.constant(self.vocabulary.tokens)  # (V,)

    def call(self, strings):
        """Strings (B,) -> ids, ragged int32 (B, None)."""
        strings = _as_utf8(strings)
        if self._splitter is None:
            return self._ids_of(strings)
        parts = self._splitter(strings)
        return parts.joined(self._ids_of(parts.texts), parts.ids)

    def _ids_of(self, strings):
        """Ids of texts without added tokens."""
        numbers = self._pieces.tokenize(strings)
        if self._drops_space:
            numbers = tf.ragged.boolean_mask(numbers, self._keep(numbers))
        return self._as_ids(numbers)

    def tokenize(self, strings):
        """Strings (B,) -> pieces, ragged strings (B, None): [["▁가", "나"]]."""
        ids = self.call(strings)
        return ids.with_flat_values(tf.gather(self._tokens, ids.flat_values))

    def tokenize_with_offsets(self, strings, unit="characters"):
        """Strings (B,) -> (ids, starts, limits), each ragged int32 (B, None).

        Token i is the slice [start, limit) of the string as it was given, before it was
        normalised and without the space that a "▁" stands for. Slices are in order
        and never overlap. One is empty where the text has nothing of its own for a
        token: a "▁" set before the text, or the "km" of "㎢", which is read as "km2".

            "가 나다" -> ▁ 가 ▁나 다, starts [0, 0, 2, 3], limits [0, 1, 3, 4]
            unit="bytes"               starts [0, 0, 4, 7], limits [0, 3, 7, 10]

        Args:
            strings: texts; bytes that are not UTF-8 count as U+FFFD.
            unit: "characters" (code points, as Python counts) or "bytes" of UTF-8.

        Raises:
            ValueError: another `unit`.
        """
        if unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}; got {unit!r}.")
        strings = _as_utf8(strings)
        if self._splitter is None:
            ids, starts, limits = self._located_of(strings)
        else:
            parts = self._splitter(strings, with_places=True)
            ids, starts, limits = parts.located(*self._located_of(parts.texts))
        if unit == "bytes":
            starts, limits = (to_bytes(strings, x) for x in (starts, limits))
        return ids, starts, limits

    def _located_of(self, strings):
        """Ids of texts without added tokens, and slices in characters."""
        numbers, starts, limits = self._pieces.tokenize_with_offsets(strings)
        if self._drops_space:
            keep = self._keep(numbers)
            numbers, starts, limits = (
                tf.ragged.boolean_mask(x, keep) for x in (numbers, starts, limits)
            )
        rows = numbers.value_rowids()
        start = tf.cast(starts.flat_values, tf.int32)
        limit = tf.cast(limits.flat_values, tf.int32)
        start += tf.where(
            tf.gather(self._starts_word, numbers.flat_values),
            _leading_space(tf.gather(strings, rows), start, limit - start),
            0,
        )
        start, limit = (_in_characters(strings, rows, x) for x in (start, limit))
        ids = self._as_ids(numbers)
        return ids, ids.with_flat_values(start), ids.with_flat_values(limit)

    def detokenize(self, ids):
        """Ids, ragged or dense (B, L) -> strings (B,), without special tokens.

        [[2, 5, 6, 7, 8, 3, 1]] -> ["가 나다"]
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(tf.convert_to_tensor(ids))
        special = tf.constant(self.vocabulary.special_ids, ids.dtype)
        numbers = tf.gather(self._numbers, ids.flat_values)
        keep = tf.reduce_all(ids.flat_values[:, None] != special, axis=1)
        keep = ids.with_flat_values(keep & (numbers >= 0))
        numbers = tf.ragged.boolean_mask(ids.with_flat_values(numbers), keep)
        return self._pieces.detokenize(numbers)

    def ids(self, texts):
        """The ids of each text, as lists: see `Tokenizer`."""
        return ids_of(self, texts)

    def pieces(self, texts):
        """The tokens of each text, as lists: see `Tokenizer`."""
        return [list(map(self.vocabulary.id_to_token, row)) for row in self.ids(texts)]

    def located(self, texts):
        """(id, start, limit) of each token of each text: see `Tokenizer`."""
        return located_of(self, texts)

    def slices(self, texts):
        """`TokenSlices` of the texts, in characters: see `Tokenizer`."""
        return slices_of(self, texts)

    def texts(self, ids):
        """The text of each row of ids, as strings: see `Tokenizer`."""
        return texts_of(self, ids)

    def filled(self, before, token, after):
        """ "영화 ", "▁좋", "다" -> "영화 좋다"; "영화 ", "가", "" -> "영화가"."""
        shown = before.rstrip() + token.replace(WORD_START, " ")
        return (shown if before.strip() else shown.lstrip()) + after

    def filled_in_graph(self, before, tokens, after):
        """`filled` of tensors of strings, of one shape or broadcast to it."""
        bare = stripped_right(before)
        shown = bare + tf.strings.regex_replace(tokens, WORD_START, " ")
        return tf.where(bare == "", stripped_left(shown), shown) + after

    def with_special_tokens_in_text(self, which):
        """The same tokenizer but for `special_tokens_in_text`."""
        return self.from_config(self.get_config() | {"special_tokens_in_text": which})

    def as_reference(self):
        """Refused: see `Tokenizer`."""
        raise ValueError(
            "Expected a ReferenceTokenizer or a BertTokenizer; got "
            f"{type(self).__name__}."
        )

    def get_config(self):
        stored = list(self.vocabulary.tokens) if self.has_own_vocabulary else None
        if self.vocabulary.added_tokens:
            stored = self.vocabulary.arguments()
        return {
            **super().get_config(),
            "model": self.model,
            "vocabulary": stored,
            **{name: getattr(self, name) for name in SPECIAL_TOKENS},
            "special_tokens_in_text": self.special_tokens_in_text,
        }

    def _as_ids(self, numbers):
        return numbers.with_flat_values(tf.gather(self._ids, numbers.flat_values))

    def _keep(self, numbers):
        """Ragged bool (B, None), False at a lone "▁" before a typed special token."""
        flat, rows = numbers.flat_values, numbers.value_rowids()
        before = (tf.gather(self._is_typed, flat[1:])) & (rows[1:] == rows[:-1])
        is_lost = (flat[:-1] == self._space) & before
        # The last token has none after it.
        is_lost = tf.concat([is_lost, tf.zeros_like(flat[:1], tf.bool)], axis=0)
        return numbers.with_flat_values(~is_lost)


def _as_utf8(strings):
    """Strings (B,), with U+FFFD in place of bytes that are not UTF-8."""
    return as_utf8(tf.ensure_shape(as_strings(strings), (None,)))


def _leading_space(strings, start, length):
    """Bytes of white space that slices begin with.

    >>> _leading_space(["a  b"], [1], [3]).numpy().tolist()
    [2]
    """
    slices = tf.strings.substr(strings, start, length)
    stripped = tf.strings.regex_replace(slices, _LEADING_SPACE, "")
    return tf.strings.length(slices) - tf.strings.length(stripped)


def _in_characters(strings, rows, offsets):
    """Offsets in bytes to offsets in characters.

        >>> rows, offsets = tf.constant([0, 0, 1], tf.int64), tf.constant([3, 4, 3])
        >>> _in_characters(tf.constant(["가a", "나"]), rows, offsets).numpy().tolist()
        [1, 2, 1]

    Args:
        strings: (B,), UTF-8.
        rows: int64 (N,), which string each offset belongs to.
        offsets: int32 (N,), in bytes; where a character starts, or the string ends.
    """
    _, starts = tf.strings.unicode_decode_with_offsets(strings, "UTF-8")
    sizes = tf.cast(tf.strings.length(strings), tf.int64)
    bases = tf.cumsum(sizes, exclusive=True)  # (B,): as if the strings were one
    places = starts.flat_values + tf.gather(bases, starts.value_rowids())
    wanted = tf.cast(offsets, tf.int64) + tf.gather(bases, rows)
    found = tf.searchsorted(places, wanted)
    return found - tf.cast(tf.gather(starts.row_starts(), rows), tf.int32)
