"""google-research/bert's tokenization as TensorFlow ops: strings in, ragged ids out."""

import functools
import unicodedata

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.reference_tokenizer import (
    is_cjk,
    is_deleted,
    is_punctuation,
    is_whitespace,
)
from kbert.text.vocabulary import SPECIAL_TOKENS, as_vocabulary

# RE2 refuses repetitions above 1,000.
MAX_CHARACTERS_PER_WORD = 999


def _ranges(codepoints) -> str:
    r"""Code points to ranges of an RE2 class: [65, 66, 97] -> \x{41}-\x{42}\x{61}-…"""
    parts = []
    first = last = None
    for codepoint in [*codepoints, None]:
        if last is not None and codepoint != last + 1:
            parts.append(f"\\x{{{first:x}}}-\\x{{{last:x}}}")
            first = None
        first = codepoint if first is None else first
        last = codepoint
    return "".join(parts)


@functools.cache
def _character_classes() -> dict[str, str]:
    """The classes of the reference, from Python's own tables, as RE2 ranges.

    RE2 and ICU carry other Unicode versions than Python; spelled-out ranges make
    Python's version rule in the graph too. Takes 1 s, once per process.
    """
    found = {
        "deleted": [],
        "whitespace": [],
        "punctuation": [],
        "cjk": [],
        "accent": [],
    }
    for codepoint in range(0x110000):
        character = chr(codepoint)
        if is_deleted(character):
            found["deleted"].append(codepoint)
        elif is_whitespace(character):
            if character != " ":  # what the others are turned into
                found["whitespace"].append(codepoint)
        elif is_punctuation(character):
            found["punctuation"].append(codepoint)
        elif is_cjk(character):
            found["cjk"].append(codepoint)
        elif unicodedata.category(character) == "Mn":
            found["accent"].append(codepoint)
    return {name: _ranges(codepoints) for name, codepoints in found.items()}


@keras.saving.register_keras_serializable(package="kbert")
class BertTokenizer(keras.layers.Layer):
    """Strings (B,) to ragged WordPiece ids int32 (B, None), inside the graph.

    Follows google-research/bert as `kbert.ReferenceTokenizer` spells it out, and gives
    its ids; works eagerly, in `tf.data` and in a SavedModel. It leaves the reference in
    this: bytes that are not UTF-8 are dropped; and upper-case letters that Python knows
    and TensorFlow's ICU does not (Unicode 14: U+2C2F, five of U+A7C0-A7D8, Vithkuqi)
    keep their case. No [CLS] or [SEP] is added: that is the packer's part.

        vocabulary [PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !, lowercase=True
            ["Embedding!", "xx", ""] -> [[5, 6, 7, 8], [1], []]

    Args:
        vocabulary: a `Vocabulary`, the path of a `vocab.txt`, or a list of tokens. The
            config holds the tokens (a dict of `Vocabulary`'s arguments if its special
            tokens are spelled otherwise), so a `.keras` file needs no other file.
        lowercase: lower-case every word.
        strip_accents: decompose (NFD) and drop the category Mn, which also takes
            Hangul syllables apart; None means the same as `lowercase`.
        split_on_cjk: make every ideograph a word of its own.
        max_characters_per_word: longer words become the unknown token, in characters;
            1 to 999.

    Raises:
        ValueError: `max_characters_per_word` outside 1 to 999, or strings that do not
            come as (B,).
    """

    def __init__(
        self,
        vocabulary,
        lowercase=False,
        strip_accents=None,
        split_on_cjk=True,
        max_characters_per_word=200,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 1 <= max_characters_per_word <= MAX_CHARACTERS_PER_WORD:
            raise ValueError(
                "max_characters_per_word must be from 1 to "
                f"{MAX_CHARACTERS_PER_WORD}; got {max_characters_per_word}."
            )
        self.vocabulary = as_vocabulary(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_on_cjk = split_on_cjk
        self.max_characters_per_word = max_characters_per_word
        # Strings reach `call` as they come, and XLA has no strings.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

        classes = _character_classes()
        split = classes["punctuation"] + (classes["cjk"] if split_on_cjk else "")
        self._deleted = f"[{classes['deleted']}]"
        self._whitespace = f"[{classes['whitespace']}]"
        self._accent = f"[{classes['accent']}]"
        self._split = f"[{split}]"
        self._long_word = f"[^ ]{{{max_characters_per_word + 1},}}"
        max_bytes = 4 * max_characters_per_word  # UTF-8 takes up to 4 per character
        self._too_long = "x" * (max_bytes + 1)
        self._split_words = tf_text.WhitespaceTokenizer()
        self._word_pieces = tf_text.FastWordpieceTokenizer(
            vocab=list(self.vocabulary.tokens),
            unknown_token=self.vocabulary.unknown_token,
            max_bytes_per_word=max_bytes,
            token_out_type=tf.int32,
            no_pretokenization=True,
        )
        self._tokens = tf.constant(self.vocabulary.tokens)  # (V,)

    def call(self, strings):
        """Strings (B,) -> ids, ragged int32 (B, None)."""
        words = self._split_words.tokenize(self._prepare(_as_strings(strings)))
        pieces = self._word_pieces.tokenize(words)  # (B, words, pieces)
        return pieces.merge_dims(1, 2)  # (B, None)

    def tokenize(self, strings):
        """Strings (B,) -> pieces, ragged strings (B, None): [["em", "##bed"]]."""
        ids = self.call(strings)
        return ids.with_flat_values(tf.gather(self._tokens, ids.flat_values))

    def detokenize(self, ids):
        """Ids, ragged or dense (B, L) -> strings (B,), without special tokens.

        [[2, 5, 6, 7, 8, 3, 0]] -> ["embedding !"]
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(tf.convert_to_tensor(ids))
        special = tf.constant(self.vocabulary.special_ids, ids.dtype)
        keep = tf.reduce_all(ids.flat_values[:, None] != special, axis=1)
        ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(keep))
        tokens = ids.with_flat_values(tf.gather(self._tokens, ids.flat_values))
        joined = tf.strings.reduce_join(tokens, axis=1, separator=" ")  # (B,)
        return tf.strings.regex_replace(joined, " ##", "")

    def get_config(self):
        vocabulary = self.vocabulary.arguments()
        if self.vocabulary.special_tokens == tuple(SPECIAL_TOKENS.values()):
            vocabulary = vocabulary["tokens"]
        return {
            **super().get_config(),
            "vocabulary": vocabulary,
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_on_cjk": self.split_on_cjk,
            "max_characters_per_word": self.max_characters_per_word,
        }

    def _prepare(self, strings):
        """The steps before WordPiece, strings (B,) to (B,): "ÀÉ,b" -> "ae , b".

        Cleaning and lower-casing need whole words as context (final sigma) and see the
        same: neither white space nor ideographs carry case, so `str.lower` of a word
        equals lower-casing the line.
        """
        strings = tf.strings.unicode_transcode(
            strings, "UTF-8", "UTF-8", errors="ignore"
        )
        strings = tf.strings.regex_replace(strings, self._deleted, "")
        # tf_text's WhitespaceTokenizer leaves part of a NBSP on the word before it.
        strings = tf.strings.regex_replace(strings, self._whitespace, " ")
        if self.lowercase:
            # ICU follows the process's locale, and Turkish has its own I and İ.
            strings = tf.strings.regex_replace(
                tf.strings.lower(strings), "İ", "i\u0307"
            )
            strings = tf.strings.lower(strings, encoding="utf-8")
        if self.lowercase if self.strip_accents is None else self.strip_accents:
            strings = tf_text.normalize_utf8(strings, "NFD")
            strings = tf.strings.regex_replace(strings, self._accent, "")
        strings = tf.strings.regex_replace(strings, self._split, r" \0 ")
        # A word that WordPiece finds too long in bytes stands for each one that is too
        # long in characters: both become the unknown token.
        return tf.strings.regex_replace(strings, self._long_word, self._too_long)


def _as_strings(strings):
    strings = tf.convert_to_tensor(strings, dtype=tf.string)
    if strings.shape.rank not in (None, 1):
        raise ValueError(
            "strings must have the shape (B,), one text per element; got the shape "
            f"{tuple(strings.shape)}. Put a single text in a list, flatten the rest."
        )
    return strings
