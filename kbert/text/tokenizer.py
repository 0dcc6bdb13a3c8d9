"""BERT's tokenization as TensorFlow ops: strings in, ragged ids and offsets out."""

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.fast_path import LONGEST_WORD, FastPath
from kbert.text.graph_added_tokens import GraphAddedTokenSplitter
from kbert.text.graph_strings import (
    as_strings,
    ids_of,
    located_of,
    slices_of,
    stripped_right,
    texts_of,
    to_bytes,
)
from kbert.text.normalizer import Normalizer
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer_protocol import as_texts
from kbert.text.vocabulary import as_vocabulary
from kbert.text.word_piece import filled_word_piece, longest_word, word_piece_config

# Fewer characters than these are quicker in plain Python, which gives the same: a call
# of TensorFlow's ops one by one takes as long as 8,000 characters (`ids`) to 25,000
# (`slices`) do there; one text of 36, some 2,000 times as long as there.
FEW_CHARACTERS = 8000


@keras.saving.register_keras_serializable(package="kbert")
class BertTokenizer(keras.layers.Layer):
    """Strings (B,) to ragged WordPiece ids int32 (B, None), inside the graph.

    Follows google-research/bert as `kbert.ReferenceTokenizer` spells it out, and gives
    its ids; works eagerly, in `tf.data` and in a SavedModel. What Python's
    `unicodedata` says of a character rules here too: its tables are packed into the
    graph. Bytes that are not UTF-8 are replaced by U+FFFD, which the rules then delete.
    Added tokens of the vocabulary (`kbert.text.added_tokens`) are found before all.
    No [CLS] or [SEP] is added: that is the packer's part. A call, `tokenize`,
    `tokenize_with_offsets` and `detokenize` take a batch and give tensors; for lists
    and NumPy's arrays there are the methods of `kbert.text.tokenizer_protocol`.

        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !".split()
        >>> tokenizer = BertTokenizer(tokens, lowercase=True)
        >>> tokenizer(["Embedding!", "xx", ""]).to_list()
        [[5, 6, 7, 8], [1], []]
        >>> tokenizer.tokenize(["Embedding!"]).to_list()
        [[b'em', b'##bed', b'##ding', b'!']]
        >>> located = tokenizer.tokenize_with_offsets(["Embedding !"])
        >>> [part.to_list() for part in located]  # ids, starts, limits
        [[[5, 6, 7, 8]], [[0, 2, 5, 10]], [[2, 5, 9, 11]]]
        >>> tokenizer.detokenize([[2, 5, 6, 7, 8, 3, 0]]).numpy().tolist()
        [b'embedding !']

    Args:
        vocabulary: a `Vocabulary`, the path of a `vocab.txt`, or a list of tokens. The
            config holds the tokens (a dict of `Vocabulary`'s arguments if its special
            tokens are spelled otherwise), so a `.keras` file needs no other file.
        lowercase: lower-case every word.
        strip_accents: decompose (NFD) and drop the category Mn, which also takes
            Hangul syllables apart; None means the same as `lowercase`.
        split_on_cjk: make every ideograph a word of its own.
        max_characters_per_word: longer words become the unknown token, in characters;
            None means 200, or 100 with "huggingface".
        compatibility: "google", or "huggingface" for the ids of the Rust library
            `tokenizers`; they differ in rare characters (`kbert.text.characters`).
        special_tokens_in_text: whether "[MASK]" in a text, exactly so spelled, is the
            token [MASK], and so for the other four; or a list of those for which it
            is. Leave it off for text of users.

    Raises:
        ValueError: `max_characters_per_word` below 1, an unknown `compatibility`, or
            strings that do not come as (B,).
    """

    is_sentencepiece = False
    in_graph = True
    sequence_length = None

    def __init__(
        self,
        vocabulary,
        lowercase=False,
        strip_accents=None,
        split_on_cjk=True,
        max_characters_per_word=None,
        compatibility="google",
        special_tokens_in_text=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary = as_vocabulary(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_on_cjk = split_on_cjk
        self.max_characters_per_word = max_characters_per_word
        self.compatibility = compatibility
        self.special_tokens_in_text = special_tokens_in_text
        # Strings reach `call` as they come, and XLA has no strings.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

        self._twin = self.as_reference()
        self._splitter = None
        if self._twin.whole_tokens:
            self._splitter = GraphAddedTokenSplitter(
                self._twin.whole_tokens, self.vocabulary, self._twin
            )
        self._strips = lowercase if strip_accents is None else strip_accents
        self._normalizer = Normalizer(
            lowercase, self._strips, split_on_cjk, compatibility
        )
        self._longest_word = longest_word(max_characters_per_word, compatibility)
        max_bytes = 4 * self._longest_word  # UTF-8 takes up to 4 per character
        self._too_long = "x" * (max_bytes + 1)
        self._word_pieces = tf_text.FastWordpieceTokenizer(
            vocab=list(self.vocabulary.pieces),
            unknown_token=self.vocabulary.unknown_token,
            max_bytes_per_word=max_bytes,
            token_out_type=tf.int32,
            no_pretokenization=True,
        )
        self._fast_path = None
        if split_on_cjk and self._longest_word <= LONGEST_WORD:
            self._fast_path = FastPath(
                self.vocabulary,
                lowercase,
                self._strips,
                compatibility,
                self._longest_word,
            )
        self._split = tf_text.WhitespaceTokenizer()
        self._tokens = tf.constant(self.vocabulary.tokens)  # (V,)

    def call(self, strings):
        """Strings (B,) -> ids, ragged int32 (B, None)."""
        strings = as_strings(strings)
        if self._splitter is None:
            return self._ids_of(strings)
        parts = self._splitter(strings)
        return parts.joined(self._ids_of(parts.texts), parts.ids)

    def _ids_of(self, strings):
        """Ids of texts without added tokens."""
        if self._fast_path is None:
            return self._exact(strings)
        ids, exact = self._fast_path(strings)
        return tf.cond(exact, lambda: ids, lambda: self._exact(strings))

    def _exact(self, strings):
        words = tf.strings.split(self._normalizer(strings))
        pieces = self._word_pieces.tokenize(self._shortened(words.flat_values))
        return tf.RaggedTensor.from_row_splits(
            pieces.flat_values,
            tf.gather(pieces.row_splits, words.row_splits),
            validate=False,
        )

    def tokenize(self, strings):
        """Strings (B,) -> pieces, ragged strings (B, None)."""
        ids = self.call(strings)
        return ids.with_flat_values(tf.gather(self._tokens, ids.flat_values))

    def tokenize_with_offsets(self, strings, unit="characters"):
        """Ids, and the place in its string that each token was made of.

        `text[start:limit]` is what the token was made of. Slices are in order and never
        overlap: where one character gives several tokens (a syllable taken apart), it
        belongs to the first of them, and the others have an empty slice behind it.
        Characters that leave nothing behind (white space, controls, stripped accents)
        belong to a token only inside its slice.

        Args:
            strings: (B,).
            unit: "characters" of the string as it was given, or "bytes" of it. Bytes
                that are not UTF-8 count as the U+FFFD that replaces them.

        Returns:
            ids, starts, limits, each ragged int32 (B, None).

        Raises:
            ValueError: another `unit`, or strings that do not come as (B,).
        """
        if unit not in ("characters", "bytes"):
            raise ValueError(f'unit must be "characters" or "bytes"; got {unit!r}.')
        strings = as_strings(strings)
        if self._splitter is None:
            ids, starts, limits = self._located_of(strings)
        else:
            parts = self._splitter(strings, with_places=True)
            ids, starts, limits = parts.located(*self._located_of(parts.texts))
        starts = tf.maximum(starts, _shifted(limits))
        limits = tf.maximum(starts, limits)
        if unit == "bytes":
            starts, limits = (to_bytes(strings, x) for x in (starts, limits))
        return ids, starts, limits

    def _located_of(self, strings):
        """Ids of texts without added tokens, and slices, which may overlap."""
        normalised, sources = self._normalizer.with_offsets(strings)
        words, word_starts, word_limits = self._split.tokenize_with_offsets(normalised)
        short = self._shortened(words.flat_values)
        ids, starts, limits = self._word_pieces.tokenize_with_offsets(
            words.with_flat_values(short)
        )
        # Bytes of the normalised text: from those of the word, to those of the row.
        word = ids.values.value_rowids()  # (tokens,)
        begin = tf.gather(word_starts.flat_values, word)
        end = tf.gather(word_limits.flat_values, word)
        ids = ids.merge_dims(1, 2)
        starts = ids.with_flat_values(tf.cast(starts.flat_values, tf.int32) + begin)
        limits = tf.cast(limits.flat_values, tf.int32)
        is_too_long = limits >= len(self._too_long)  # what stands for the word
        limits = ids.with_flat_values(tf.where(is_too_long, end, limits + begin))
        starts = tf.gather(sources, starts, batch_dims=1)
        limits = tf.gather(sources, limits - 1, batch_dims=1) + 1
        return ids, starts, limits

    def detokenize(self, ids):
        """Ids, ragged or dense (B, L) -> strings (B,), without special tokens."""
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(tf.convert_to_tensor(ids))
        special = tf.constant(self.vocabulary.special_ids, ids.dtype)
        keep = tf.reduce_all(ids.flat_values[:, None] != special, axis=1)
        ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(keep))
        tokens = ids.with_flat_values(tf.gather(self._tokens, ids.flat_values))
        joined = tf.strings.reduce_join(tokens, axis=1, separator=" ")  # (B,)
        return tf.strings.regex_replace(joined, " ##", "")

    def ids(self, texts):
        """The ids of each text, as lists: see `Tokenizer`."""
        texts = as_texts(texts)
        return self._twin.ids(texts) if _are_few(texts) else ids_of(self, texts)

    def pieces(self, texts):
        """The tokens of each text, as lists: see `Tokenizer`."""
        return [list(map(self.vocabulary.id_to_token, row)) for row in self.ids(texts)]

    def located(self, texts):
        """(id, start, limit) of each token of each text: see `Tokenizer`."""
        return located_of(self, texts)

    def slices(self, texts):
        """`TokenSlices` of the texts, in characters: see `Tokenizer`."""
        texts = as_texts(texts)
        return self._twin.slices(texts) if _are_few(texts) else slices_of(self, texts)

    def texts(self, ids):
        """The text of each row of ids, as strings: see `Tokenizer`."""
        return texts_of(self, ids)

    def filled(self, before, token, after):
        """A text with a token where a mask was: see `filled_word_piece`."""
        return filled_word_piece(before, token, after)

    def filled_in_graph(self, before, tokens, after):
        """`filled` of tensors of strings, of one shape or broadcast to it."""
        bare = stripped_right(before)
        is_inner = tf.strings.regex_full_match(tokens, "##(?s:.*)")
        inner = bare + tf.strings.regex_replace(tokens, "^##", "")
        return tf.where(is_inner, inner, before + tokens) + after

    def with_special_tokens_in_text(self, which):
        """The same tokenizer but for `special_tokens_in_text`."""
        return self.from_config(self.get_config() | {"special_tokens_in_text": which})

    def as_reference(self):
        """The `ReferenceTokenizer` of the same vocabulary and settings."""
        own = {"vocabulary": self.vocabulary}  # in place of its list of tokens
        return ReferenceTokenizer(**word_piece_config(self) | own)

    def get_config(self):
        return {**super().get_config(), **word_piece_config(self)}

    def _shortened(self, words):
        """Words (N,), those of too many characters made too many bytes as well.

        WordPiece counts bytes; both become the unknown token.
        """
        too_long = tf.strings.length(words, "UTF8_CHAR") > self._longest_word
        return tf.cond(
            tf.reduce_any(too_long),
            lambda: tf.where(too_long, self._too_long, words),
            lambda: words,
        )


def _are_few(texts):
    return sum(map(len, texts)) < FEW_CHARACTERS


def _shifted(limits):
    """Each row one place on, 0 first.

    >>> _shifted(tf.ragged.constant([[2, 5, 9], []], tf.int32)).to_list()
    [[0, 2, 5], []]
    """
    zeros = tf.zeros([limits.nrows(), 1], limits.dtype)
    return tf.concat([zeros, limits], axis=1)[:, :-1]
