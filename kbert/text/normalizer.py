"""The steps before WordPiece as TensorFlow ops: text in, words parted by spaces out."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.characters import CODEPOINTS, character_rules, replacements
from kbert.text.normalizer_model import normalizer_model


class Normalizer:
    """Cleans, lower-cases, strips accents and sets words apart: "ÀÉ,b" -> "ae , b".

    All by the tables of `kbert.text.characters`: neither the Unicode version of
    TensorFlow's ICU nor that of RE2 matters. One pass replaces character by character.
    Three things need more than a table, and only batches that have them pay for them:
    bytes that are not UTF-8 (replaced by U+FFFD, which the rules then delete), capital
    sigmas, and accents out of canonical order that are not all dropped.

    Args:
        lowercase, strip_accents (not None), split_on_cjk, compatibility: as in
            `BertTokenizer`.
        splits_punctuation: set punctuation apart; off for what added tokens are looked
            for in.
    """

    def __init__(
        self,
        lowercase,
        strip_accents,
        split_on_cjk,
        compatibility,
        splits_punctuation=True,
    ):
        settings = (lowercase, strip_accents, split_on_cjk, compatibility)
        self._apply = _normalizer(*settings, False, splits_punctuation)
        self._patterns = _patterns(*settings)
        self._sigma = lowercase and character_rules(compatibility).lowers_first
        self._decompose = None
        if strip_accents:
            self._decompose = _normalizer(*settings, True)
            self._combining = _combining_classes(compatibility)

    def __call__(self, strings):
        """Strings (B,) -> strings (B,)."""
        plain = tf.strings.regex_full_match(strings, self._patterns["plain"])
        strings = tf.cond(
            tf.reduce_all(plain), lambda: strings, lambda: self._mended(strings)
        )
        return self._apply.normalize(strings)

    def with_offsets(self, strings):
        """Strings (B,) -> the same as `__call__`, and where each byte comes from.

        Returns:
            normalised strings (B,); ragged int32 (B, None), for each of their bytes the
            character of `strings` (bytes that are not UTF-8 replaced) it was made of.
        """
        original = as_utf8(strings)
        strings = self._mended(original)
        normalised, bytes_from = self._apply.normalize_with_offsets(strings)
        bytes_from = bytes_from[:, :-1]  # the last is that of the row's end
        characters = characters_at(strings, bytes_from)
        if self._decompose is not None:
            sources = tf.cond(
                self._has_marks(original),
                lambda: self._decomposed_from(original),
                lambda: _every_character(original),
            )
            characters = tf.gather(sources, characters, batch_dims=1)
        return normalised, characters

    def _mended(self, strings):
        """Strings (B,) that the table of characters is enough for."""
        strings = as_utf8(strings)
        if self._sigma:
            # Twice, since the letter after one sigma may be the next.
            for _ in range(2):
                strings = tf.strings.regex_replace(
                    strings, self._patterns["inner sigma"], r"σ\1"
                )
            strings = tf.strings.regex_replace(
                strings, self._patterns["final sigma"], r"\1ς"
            )
        if self._decompose is None:
            return strings
        return tf.cond(
            self._has_marks(strings), lambda: self._reordered(strings), lambda: strings
        )

    def _has_marks(self, strings):
        return tf.reduce_any(
            tf.strings.regex_full_match(strings, self._patterns["two marks"])
        )

    def _reordered(self, strings):
        """Decomposed, with accents in canonical order."""
        strings = self._decompose.normalize(strings)
        characters = tf.strings.unicode_decode(strings, "UTF-8")
        codepoints, classes = self._combining
        at = tf.searchsorted(codepoints, characters.flat_values)
        at = tf.minimum(at, tf.size(codepoints) - 1)
        is_mark = tf.gather(codepoints, at) == characters.flat_values
        classes = tf.where(is_mark, tf.gather(classes, at), 0)
        # Each character that is no mark, and each row, begins a run of its own.
        begins = tf.cast(classes == 0, tf.int64)
        run = tf.cumsum(begins) + characters.value_rowids()
        order = tf.argsort(run * 256 + tf.cast(classes, tf.int64), stable=True)
        ordered = tf.gather(characters.flat_values, order)
        return tf.strings.unicode_encode(characters.with_flat_values(ordered), "UTF-8")

    def _decomposed_from(self, strings):
        """For each character of `_reordered`, the one it was made of: int32 (B, None).

        Accents that change places take the place they come to.
        """
        decomposed, bytes_from = self._decompose.normalize_with_offsets(strings)
        _, starts = tf.strings.unicode_decode_with_offsets(decomposed, "UTF-8")
        return characters_at(strings, tf.gather(bytes_from, starts, batch_dims=1))


def as_utf8(strings):
    """Strings (B,), with U+FFFD in place of bytes that are not UTF-8."""
    return tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")


def characters_at(strings, offsets):
    """Bytes to characters.

        >>> offsets = tf.ragged.constant([[0, 1, 2, 4]], tf.int64)
        >>> characters_at(["a가b"], offsets).to_list()
        [[0, 1, 1, 2]]

    Args:
        strings: UTF-8 (B,).
        offsets: ragged int64 (B, None), each inside its string.

    Returns: ragged int32 (B, None).
    """
    _, starts = tf.strings.unicode_decode_with_offsets(strings, "UTF-8")
    # One sorted list for the whole batch: rows are further apart than they are long.
    length = tf.cast(tf.reduce_max(tf.strings.length(strings)), tf.int64) + 1
    length = tf.maximum(length, 1)
    keys = starts.flat_values + starts.value_rowids() * length
    wanted = offsets.flat_values + offsets.value_rowids() * length
    found = tf.searchsorted(keys, wanted, side="right") - 1
    first = tf.gather(starts.row_starts(), offsets.value_rowids())
    return offsets.with_flat_values(found - tf.cast(first, tf.int32))


def _every_character(strings):
    """The numbers of the characters of each string.

    >>> _every_character(["a가", "b"]).to_list()
    [[0, 1], [0]]
    """
    return tf.ragged.range(tf.strings.length(strings, unit="UTF8_CHAR"))


@functools.cache
def _normalizer(
    lowercase,
    strip_accents,
    split_on_cjk,
    compatibility,
    keeps_accents,
    splits_punctuation=True,
):
    table = replacements(
        lowercase,
        strip_accents,
        split_on_cjk,
        compatibility,
        keeps_accents,
        splits_punctuation,
    )
    model = np.frombuffer(normalizer_model(table), np.uint8)
    with tf.init_scope():
        return tf_text.FastBertNormalizer(model_buffer=tf.constant(model))


@functools.cache
def special_characters(lowercase, strip_accents, compatibility) -> frozenset[str]:
    """Characters whose neighbours matter: the capital sigma, and accents that stay."""
    rules = character_rules(compatibility)
    found = {"Σ"} if lowercase and rules.lowers_first else set()
    if strip_accents:
        for c in map(chr, CODEPOINTS):
            parts = rules.decompose(c)
            if any(rules.combining(d) and not rules.is_accent(d) for d in parts):
                found.add(c)
    return frozenset(found)


@functools.cache
def _patterns(lowercase, strip_accents, split_on_cjk, compatibility):
    """RE2 patterns: what is plain, and where a sigma is, or two marks are."""
    rules = character_rules(compatibility)
    sigma = lowercase and rules.lowers_first
    special = special_characters(lowercase, strip_accents, compatibility)
    patterns = {}
    if strip_accents:
        mark = f"[{character_class(special - {'Σ'})}]"
        patterns["two marks"] = f"(?s).*{mark}.*{mark}.*"
    if sigma:
        ignorable, cased = _case_classes(rules)
        ignorable = f"[{character_class(ignorable)}]*"
        cased = f"[{character_class(cased)}]"
        patterns["inner sigma"] = f"Σ({ignorable}{cased})"
        patterns["final sigma"] = f"({cased}{ignorable})Σ"
    # Surrogates, which RE2 would take, are spelled out for it to check UTF-8 strictly.
    patterns["plain"] = f"[^\\x{{d800}}-\\x{{dfff}}{character_class(special)}]*"
    return patterns


def _case_classes(rules):
    """Characters that do not part a sigma from its word, and those that make one.

    Asked of `str.lower` itself, so that they are what Python takes them for; deleted
    characters are gone before it looks.
    """
    ignorable, cased = [], []
    for c in map(chr, CODEPOINTS):
        if rules.is_deleted(c):
            ignorable.append(c)
        elif f"AΣ{c}".lower()[1] == "σ":
            cased.append(c)
        elif f"A{c}Σ".lower()[-1] == "ς":
            ignorable.append(c)
    return ignorable, cased


@functools.cache
def _combining_classes(compatibility):
    """Code points of marks, sorted, and their canonical combining classes."""
    rules = character_rules(compatibility)
    marks = [c for c in map(chr, range(0x20000)) if rules.combining(c)]
    classes = np.array([rules.combining(c) for c in marks], np.int32)
    return np.array([ord(c) for c in marks], np.int32), classes


def character_class(characters):
    r"""Characters to ranges of an RE2 class.

    >>> print(character_class("ABa"))
    \x{41}-\x{42}\x{61}-\x{61}
    """
    ranges = []
    for codepoint in sorted(map(ord, characters)):
        if ranges and ranges[-1][1] == codepoint - 1:
            ranges[-1][1] = codepoint
        else:
            ranges.append([codepoint, codepoint])
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)


def literal(text):
    r"""An RE2 pattern for the text itself.

    >>> print(literal("a]"))
    \x{61}\x{5d}
    """
    return "".join(f"\\x{{{ord(c):x}}}" for c in text)
