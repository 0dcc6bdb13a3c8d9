"""WordPiece over whole texts at once: for what most batches are, and it knows which.

`tensorflow_text.FastWordpieceTokenizer` can split words itself: Korean movie reviews
are tokenized 1.20 times as fast so in batches of 1,024, 1.07 in batches of 32 and 1.01
one by one, English novels 1.29, 1.07 and 1.02 (CPU time, medians of 11 rounds on a Xeon
with AVX-512; `benchmarks/fast_path.py`). But it splits by its own idea of punctuation,
limits words in bytes, and takes bytes that are not UTF-8. So every character that needs
more than a table of characters, or that it would split at and the rules do not, is
first made `stand_in`, a character of no token: its word becomes the unknown token.
Texts with an unknown token are looked through, and where one holds anything else than
plain characters, or a word is too long, the batch is not `exact` and has to go the long
way.
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.characters import CODEPOINTS, replacements
from kbert.text.normalizer import character_class, special_characters
from kbert.text.normalizer_model import normalizer_model

_ASKED_AT_ONCE = 64  # characters, of tensorflow-text
# RE2 takes no more repetitions than 1,000 of a pattern.
LONGEST_WORD = 999


class FastPath:
    """Strings to ids, and whether they are exact.

    Args:
        vocabulary: a `Vocabulary`.
        lowercase, strip_accents (not None), compatibility: as in `BertTokenizer`, with
            `split_on_cjk` on.
        longest_word: more characters make a word unknown; at most `LONGEST_WORD`.
    """

    def __init__(
        self, vocabulary, lowercase, strip_accents, compatibility, longest_word
    ):
        known = set("".join(vocabulary.tokens))
        private = map(chr, range(0xE000, 0xF900))
        self._stand_in = next(c for c in private if c not in known)
        model = _model(lowercase, strip_accents, compatibility, self._stand_in)
        self._normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(model))
        self._longest_word = longest_word
        self._unknown_id = vocabulary.unknown_id
        self._word_pieces = tf_text.FastWordpieceTokenizer(
            vocab=list(vocabulary.pieces),
            unknown_token=vocabulary.unknown_token,
            max_bytes_per_word=4 * longest_word,
            token_out_type=tf.int32,
        )
        self._plain = f"[^\\x{{d800}}-\\x{{dfff}}{character_class(self._stand_in)}]*"
        self._long_word = f"(?s).*[^ ]{{{longest_word + 1}}}.*"

    def __call__(self, strings):
        """Strings (B,) -> ids ragged int32 (B, None), and a bool: they are exact."""
        strings = self._normalizer.normalize(strings)
        ids = self._word_pieces.tokenize(strings)
        is_unknown = tf.cast(ids.flat_values == self._unknown_id, tf.int32)
        before = tf.concat([[0], tf.cumsum(is_unknown)], axis=0)
        before = tf.gather(before, ids.row_splits)  # (B + 1,): unknown tokens so far
        suspects = tf.boolean_mask(strings, before[1:] > before[:-1])
        is_plain = tf.strings.regex_full_match(suspects, self._plain)
        is_long = tf.strings.length(strings, "UTF8_CHAR") > self._longest_word
        long_word = tf.strings.regex_full_match(
            tf.boolean_mask(strings, is_long), self._long_word
        )
        return ids, tf.reduce_all(is_plain) & ~tf.reduce_any(long_word)


@functools.cache
def _model(lowercase, strip_accents, compatibility, stand_in):
    """The table of characters, with `stand_in` for what the table is not enough for."""
    table = replacements(lowercase, strip_accents, True, compatibility)
    marked = special_characters(lowercase, strip_accents, compatibility)
    stood_in_for = dict.fromkeys(marked | _split_there(table), stand_in)
    return np.frombuffer(normalizer_model({**table, **stood_in_for}), np.uint8)


def _split_there(table):
    """Characters that tensorflow-text splits at, and the rules leave in their word.

    Its tables are those of an ICU; so it is asked, with "axa" for each character x, of
    64 at once first, "axaya…": most of them it leaves in one word.
    """
    tokenizer = tf_text.FastWordpieceTokenizer(
        vocab=["[UNK]", "a", "##a"], unknown_token="[UNK]", token_out_type=tf.int32
    )

    def num_tokens(texts):
        return tokenizer.tokenize(texts).row_lengths().numpy()

    left = {c for text in table.values() for c in _joined(text)}
    kept = [c for c in map(chr, CODEPOINTS) if c not in table or c in left]
    runs = [kept[i : i + _ASKED_AT_ONCE] for i in range(0, len(kept), _ASKED_AT_ONCE)]
    counts = num_tokens([f"a{'a'.join(run)}a" for run in runs])
    kept = [c for run, count in zip(runs, counts) if count != 1 for c in run]
    counts = num_tokens([f"a{c}a" for c in kept])
    found = {c for c, count in zip(kept, counts) if count != 1 and c != "a"}
    return found | {c for c, text in table.items() if found & _joined(text)}


def _joined(text):
    """The characters of a replacement that stand in a word with others.

    >>> [sorted(_joined(text)) for text in ("e", " ! ", "a = bc ")]
    [['e'], [], ['a', 'b', 'c']]
    """
    parts = text.split(" ")
    alone = (part for part in parts[1:-1] if len(part) > 1)
    return {*parts[0], *parts[-1]}.union(*alone)
