"""Entities and tags in texts of any length, inside the graph."""

import tensorflow as tf

from kbert.export.graph.entities import entity_spans, tag_parts
from kbert.export.graph.text_stage import computed
from kbert.export.graph.units import (
    character_units,
    characters_tokens,
    units_first_tokens,
    word_units,
)
from kbert.export.graph.windows import (
    code_points,
    nearest_windows,
    packed_windows,
    text_slices,
    window_spans,
)
from kbert.signatures import TAG


class ServedTagger(tf.Module):
    """A `BertTokenClassifier` with its text stage and windows.

    Args:
        apply_model: the inputs, int32 (W, L) each, to logits (W, L, C).
        tokenizer: its tokenizer.
        task: a `TokenClassification`.

    Attributes:
        signatures: its function, by name.
        num_texts: of each row.
    """

    num_texts = 1

    def __init__(self, apply_model, tokenizer, task):
        super().__init__(name="served_tagger")
        self.apply_model = apply_model
        self.tokenizer = tokenizer
        self.task = task
        self.signatures = {"tag": TAG}
        labels = task.canonical_labels
        self.num_labels = len(labels)
        # A unit's class is that of its token; for all but a token's first character, B-
        # means I-; a unit without token has a class of its own, the last.
        inner = [f"I-{t[2:]}" if t.startswith("B-") else t for t in labels]
        nothing = "O" if "O" in labels else labels[0]
        tags = [*inner, *labels, nothing]
        if task.tags_entities:
            letters, names = tag_parts(tags)
            self.letters = tf.constant(letters)  # (2 C + 1,)
            self.types = tf.constant([names.index(name) for name in names])
            self.type_names = tf.constant(names)
        else:
            self.type_names = tf.constant(tags)

    @classmethod
    def of(cls, servable, apply_model) -> "ServedTagger":
        """That of a `Servable`."""
        return cls(apply_model, servable.tokenizer, servable.task)

    def tag(self, text):
        """Strings (B,) -> the outputs of `TAG`.

        What `TokenClassification.decode` answers: windows are laid over long texts, and
        each token is judged in the one where it has most context.
        """
        points = code_points(text)
        ids, starts, limits = self.tokenizer.tokenize_with_offsets(text)
        logits = self._logits(ids)  # (tokens, C)
        by_words = self.task.granularity == "word"
        units = (word_units if by_words else character_units)(points)
        row_of = tf.cast(points.value_rowids(), tf.int32)  # of each character
        rows = tf.gather(row_of, units[0])  # (U,)
        base = tf.cast(tf.gather(points.row_starts(), ids.value_rowids()), tf.int32)
        slices = starts.flat_values + base, limits.flat_values + base
        size = tf.size(points.flat_values)
        if by_words:
            tokens = units_first_tokens(units, *slices, size)
        else:
            tokens = characters_tokens(units, rows, *slices, size)
        classes, scores = self._classes(logits, tokens)
        first = last = tf.range(tf.size(tokens))
        if self.task.tags_entities:
            letters, types = (tf.gather(x, classes) for x in (self.letters, self.types))
            first, last = entity_spans(letters, types, rows)
        return self._entities(points, units, rows, classes, scores, first, last)

    def _logits(self, ids):
        """Logits of each token, from the window in which it has most context."""
        room = self.task.sequence_length - 2
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        rows, begin, end = window_spans(lengths, room, self.task.window_stride)
        inputs, _ = packed_windows(ids, rows, begin, end, self.tokenizer.vocabulary)
        shape = (None, self.num_labels)
        logits = computed(self.apply_model, inputs, logits=shape)["logits"]
        window = nearest_windows(rows, begin, end, ids)  # (tokens,)
        first = tf.cast(tf.gather(ids.row_starts(), rows), tf.int32) + begin  # (W,)
        column = 1 + tf.range(tf.size(window)) - tf.gather(first, window)
        return tf.gather_nd(logits, tf.stack([window, column], axis=1))

    def _classes(self, logits, tokens):
        """The class of each unit out of 2 C + 1, and its probability, float64 (U,)."""
        num_units, count = tf.size(tokens), self.num_labels
        answered = tokens >= 0
        of_token = tf.cast(tf.argmax(logits, axis=1), tf.int32)
        likeliest = tf.reduce_max(tf.nn.softmax(tf.cast(logits, tf.float64)), axis=1)
        # A class and a score for units without token stand behind those of all tokens.
        of_token = tf.concat([of_token, [2 * count]], axis=0)
        likeliest = tf.concat([likeliest, [0.0]], axis=0)
        token = tf.where(answered, tokens, tf.size(of_token) - 1)
        before = tf.concat([[-1], tokens], axis=0)[:num_units]
        is_first = answered & (tokens != before)
        classes = tf.gather(of_token, token) + count * tf.cast(is_first, tf.int32)
        return classes, tf.gather(likeliest, token)

    def _entities(self, points, units, rows, classes, scores, first, last):
        """The outputs, from the first and the last unit of each entity."""
        num_texts = tf.cast(points.nrows(), tf.int32)
        row = tf.gather(rows, first)
        base = tf.cast(tf.gather(points.row_starts(), row), tf.int32)
        starts = tf.gather(units[0], first) - base
        ends = tf.gather(units[1], last) - base
        sums = tf.concat([[tf.constant(0, tf.float64)], tf.cumsum(scores)], axis=0)
        length = tf.cast(last - first + 1, tf.float64)
        score = (tf.gather(sums, last + 1) - tf.gather(sums, first)) / length
        columns = {
            "types": (tf.gather(self.type_names, tf.gather(classes, last)), ""),
            "texts": (text_slices(points, row, starts, ends), ""),
            "starts": (starts, -1),
            "ends": (ends, -1),
            "scores": (tf.cast(score, tf.float32), 0.0),
        }
        ragged = {
            name: (tf.RaggedTensor.from_value_rowids(x, row, num_texts), filling)
            for name, (x, filling) in columns.items()
        }
        outputs = {name: x.to_tensor(filling) for name, (x, filling) in ragged.items()}
        counts = tf.cast(ragged["starts"][0].row_lengths(), tf.int32)
        never = tf.zeros([tf.size(counts)], tf.bool)  # a long text has more windows
        return outputs | {"num_entities": counts, "truncated": never}
