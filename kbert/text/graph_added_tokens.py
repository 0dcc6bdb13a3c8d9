"""Added tokens, found in the graph: `AddedTokenSplitter` as TensorFlow ops."""

import dataclasses

import tensorflow as tf

from kbert.text.added_tokens import longest_first, spelled_tokens
from kbert.text.normalizer import Normalizer, as_utf8, literal

# Stands before and behind a token that was found. Texts lose it (category Cc), so what
# they hold of it is made another such character first, which takes as many bytes.
_MARK, _OTHER = "\x01", "\x10"
# As `added_tokens.touches_word`, for RE2.
_WORD = r"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]"


@dataclasses.dataclass(frozen=True)
class GraphParts:
    """Texts cut at their added tokens.

    Attributes:
        texts: strings (S,), what is to be tokenized; "" for an added token.
        ids: int32 (S,), the id of an added token, else -1.
        lengths: int32 (S,), characters of each part, added tokens included.
        places: ragged int32 (S, None), the place in its row of each character of a
            part; None where it was not asked for.
        row_splits: int64 (B + 1,), which of the parts are a row's.
    """

    texts: tf.Tensor
    ids: tf.Tensor
    lengths: tf.Tensor
    places: tf.RaggedTensor | None
    row_splits: tf.Tensor

    def located(self, ids, starts, limits):
        """Tokens of the parts, and slices there, to rows and slices of the row.

        Args:
            ids, starts, limits: ragged (S, None), in characters; limits above starts,
                but where a part has nothing of its own for a token.

        Returns: the same of the rows, ragged int32 (B, None).
        """
        first = self._places_at(self.places.row_starts())
        last = self._places_at(self.places.row_limits() - 1)
        rows = starts.value_rowids()
        begin = tf.gather(self.places.row_starts(), rows)
        start, limit = (tf.cast(x.flat_values, tf.int64) for x in (starts, limits))
        is_empty = limit <= start
        behind = self._places_at(begin + limit - 1) + 1
        limit = tf.where(limit > 0, behind, self._places_at(begin))
        start = tf.where(is_empty, limit, self._places_at(begin + start))
        return (
            self.joined(ids, self.ids),
            self.joined(starts.with_flat_values(start), first),
            self.joined(limits.with_flat_values(limit), last + 1),
        )

    def _places_at(self, at):
        """Places of the row by their number among those of all parts."""
        values = tf.concat([self.places.flat_values, [0]], axis=0)
        return tf.gather(values, tf.clip_by_value(at, 0, tf.size(values, tf.int64) - 1))

    def joined(self, parts, token_values):
        """Values of the parts, and those of added tokens, to rows.

        Args:
            parts: ragged (S, None), no values for an added token.
            token_values: (S,), one value for each added token.

        Returns: ragged (B, None).
        """
        is_token = tf.cast(self.ids >= 0, tf.int64)
        tokens = tf.RaggedTensor.from_row_lengths(
            tf.boolean_mask(token_values, self.ids >= 0), is_token, validate=False
        )
        values = tf.concat([parts, tokens], axis=1)
        return tf.RaggedTensor.from_row_splits(
            values.flat_values,
            tf.gather(values.row_splits, self.row_splits),
            validate=False,
        )


class GraphAddedTokenSplitter:
    """Strings (B,) to `GraphParts`.

    Args:
        tokens: `AddedToken`s, those that count.
        vocabulary: gives their ids.
        twin: the `ReferenceTokenizer` whose rules normalise texts; None where no token
            is `normalized`.

    Raises:
        ValueError: more tokens than fit into a pattern.
    """

    def __init__(self, tokens, vocabulary, twin=None):
        typed, normalised = spelled_tokens(
            tokens, lambda text: twin.normalised(text)[0]
        )
        id_of = vocabulary.token_to_id
        self._typed = _Spelled(typed, id_of) if typed else None
        self._normalised = None
        if normalised:
            self._normalised = _Spelled(normalised, id_of)
            self._normalizer = Normalizer(
                twin.lowercase,
                twin.lowercase if twin.strip_accents is None else twin.strip_accents,
                twin.split_on_cjk,
                twin.compatibility,
                splits_punctuation=False,
            )

    def __call__(self, strings, with_places=False):
        """The parts of texts; `places` are filled in where they are asked for."""
        strings = as_utf8(strings)
        if self._typed is None:
            batch = tf.size(strings, tf.int64)
            ids = tf.fill(tf.shape(strings), -1)
            parts = _parts(strings, ids, tf.range(batch + 1), with_places)
        else:
            found, ids = self._typed.split(strings)
            parts = _parts(found.flat_values, ids, found.row_splits, with_places)
        if self._normalised is not None:
            parts = self._split_normalised(parts)
        return dataclasses.replace(
            parts, texts=tf.where(parts.ids >= 0, "", parts.texts)
        )

    def _split_normalised(self, parts):
        texts = tf.where(parts.ids >= 0, "", parts.texts)
        if parts.places is None:
            normalised, places = self._normalizer(texts), None
        else:
            normalised, places = self._normalizer.with_offsets(texts)
            _, starts = tf.strings.unicode_decode_with_offsets(normalised, "UTF-8")
            places = tf.gather(places, starts, batch_dims=1)
            places = tf.gather(parts.places, places, batch_dims=1)  # (S, characters)
        found, ids = self._normalised.split(normalised)
        # A part without a token in it is left to the tokenizer as it came.
        is_found = found.row_lengths() > 1  # (S,)
        of = found.value_rowids()
        as_it_came = ~tf.gather(is_found, of)
        texts = tf.where(as_it_came, tf.gather(parts.texts, of), found.flat_values)
        ids = tf.where(as_it_came, tf.gather(parts.ids, of), ids)
        lengths = tf.strings.length(found.flat_values, "UTF8_CHAR")
        lengths = tf.where(as_it_came, tf.gather(parts.lengths, of), lengths)
        if places is not None:
            kept = tf.concat(
                [_rows_where(~is_found, parts.places), _rows_where(is_found, places)],
                axis=1,
            )
            places = tf.RaggedTensor.from_row_lengths(
                kept.flat_values, tf.cast(lengths, tf.int64), validate=False
            )
        splits = tf.gather(found.row_splits, parts.row_splits)
        return GraphParts(texts, ids, lengths, places, splits)


class _Spelled:
    """Tokens by what a text spells, found by one pattern."""

    def __init__(self, tokens, id_of):
        spelled = longest_first(tokens)
        self._pattern = "|".join(map(literal, spelled))
        self._single = [text for text in spelled if tokens[text].single_word]
        ids = (id_of(tokens[text].content) for text in spelled)
        by_hash = dict(zip(_hashes(spelled).numpy().tolist(), ids))
        if len(by_hash) < len(spelled):  # never yet: one in 10^12 for 1,000 tokens
            raise ValueError("Two added tokens have one hash; rename one of them.")
        self._hashes = tf.constant(sorted(by_hash), tf.int64)
        self._ids = tf.constant([by_hash[key] for key in sorted(by_hash)], tf.int32)
        try:
            tf.strings.regex_replace(["a"], self._pattern, "")
        except tf.errors.InvalidArgumentError:
            raise ValueError(
                f"Expected added tokens that one pattern can hold; {len(spelled):,} of "
                f"{sum(map(len, spelled)):,} characters are too many. Make those that "
                "are plain words tokens of vocab.txt."
            ) from None

    def split(self, strings):
        """Strings (B,) -> parts, ragged (B, 2 t + 1) of t tokens, and int32 ids, flat.

        Text and tokens take turns; text may be empty, and has the id -1.
        """
        strings = tf.strings.regex_replace(strings, _MARK, _OTHER)
        marked = tf.strings.regex_replace(strings, self._pattern, f"{_MARK}\\0{_MARK}")
        parts = _at_marks(marked)
        if self._single:
            parts = self._without_inner(parts)
        is_token = tf.ragged.range(parts.row_lengths()).flat_values % 2 == 1
        # A token is one of ours, whose hashes differ.
        at = tf.searchsorted(self._hashes, _hashes(parts.flat_values))
        at = tf.minimum(at, tf.size(self._hashes) - 1)
        return parts, tf.where(is_token, tf.gather(self._ids, at), -1)

    def _without_inner(self, parts):
        """The same, tokens of single words that are parts of longer ones made text."""
        flat = parts.flat_values
        row = parts.value_rowids()
        at = tf.ragged.range(parts.row_lengths()).flat_values
        last = tf.gather(parts.row_lengths(), row) - 1
        padded = tf.concat([["", ""], flat, ["", ""]], axis=0)
        size = tf.size(flat)
        before, after = padded[1 : size + 1], padded[3 : size + 3]
        before = tf.where(at >= 2, tf.strings.join([padded[:size], before]), before)
        after = tf.where(
            at <= last - 2, tf.strings.join([after, padded[4 : size + 4]]), after
        )
        is_inner = tf.strings.regex_full_match(before, f"(?s).*{_WORD}")
        is_inner |= tf.strings.regex_full_match(after, f"{_WORD}(?s).*")
        is_single = tf.reduce_any(flat[:, None] == tf.constant(self._single), axis=1)
        is_kept = (at % 2 == 1) & ~(is_single & is_inner)
        marks = tf.where(is_kept, _MARK, "")
        marked = tf.strings.join([marks, flat, marks])
        whole = tf.strings.reduce_join(parts.with_flat_values(marked), axis=1)
        return _at_marks(whole)


def _hashes(strings):
    """Whole numbers that stand for strings, int64, the same in every process."""
    return tf.strings.to_hash_bucket_strong(strings, 2**62, [7, 11])


def _at_marks(marked):
    """Strings (B,) cut at each mark: ragged (B, None), one part where there is none."""
    return tf.strings.split(marked, _MARK)


def _parts(texts, ids, row_splits, with_places):
    lengths = tf.strings.length(texts, "UTF8_CHAR")
    places = None
    if with_places:
        begins = tf.cumsum(lengths, exclusive=True)  # as if all rows were one
        first = tf.gather(tf.concat([begins, [0]], axis=0), row_splits[:-1])
        counts = row_splits[1:] - row_splits[:-1]
        begins -= tf.repeat(first, counts)
        places = tf.ragged.range(begins, begins + lengths)
    return GraphParts(texts, ids, lengths, places, row_splits)


def _rows_where(keeps, ragged):
    """Rows of a ragged tensor, those that are not kept made empty.

    >>> rows = tf.ragged.constant([[1], [2]])
    >>> _rows_where(tf.constant([True, False]), rows).to_list()
    [[1], []]
    """
    keep = ragged.with_flat_values(tf.gather(keeps, ragged.value_rowids()))
    return tf.ragged.boolean_mask(ragged, keep)
