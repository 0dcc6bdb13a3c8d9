"""Answers out of texts of any length, inside the graph."""

import tensorflow as tf

from kbert.export.graph.answers import (
    best_candidates,
    n_best_entries,
    window_candidates,
)
from kbert.export.graph.text_stage import computed
from kbert.export.graph.windows import (
    code_points,
    nearest_windows,
    packed_windows,
    window_spans,
)
from kbert.signatures import ANSWER
from kbert.tasks.questions.question_rows import LEAST_ROOM, STRIDE


class ServedQuestionAnswerer(tf.Module):
    """A `BertQuestionAnswerer` with its text stage, windows and search for the answer.

    Args:
        apply_model: the inputs, int32 (W, L) each, to `start_logits` and `end_logits`.
        tokenizer: its tokenizer.
        task: a `QuestionAnswering`.

    Attributes:
        signatures: its function, by name.
        num_texts: of each row.
    """

    num_texts = 2

    def __init__(self, apply_model, tokenizer, task):
        super().__init__(name="served_question_answerer")
        self.apply_model = apply_model
        self.tokenizer = tokenizer
        self.task = task
        self.signatures = {"answer": ANSWER}

    @classmethod
    def of(cls, servable, apply_model) -> "ServedQuestionAnswerer":
        """That of a `Servable`."""
        return cls(apply_model, servable.tokenizer, servable.task)

    def answer(self, question, context):
        """Strings (B,) and (B,) -> the outputs of `ANSWER`.

        The numbers of `QuestionAnswering.decode`; a question is cut so that 16 tokens
        of the context have room beside it.
        """
        asked, truncated = self._asked(question)
        ids, starts, limits = self.tokenizer.tokenize_with_offsets(context)
        rows, begin, end = self._windows(asked, ids)
        vocabulary = self.tokenizer.vocabulary
        inputs, place = packed_windows(ids, rows, begin, end, vocabulary, asked)
        logits = computed(
            self.apply_model, inputs, start_logits=(None,), end_logits=(None,)
        )
        logits = tf.stack([logits["start_logits"], logits["end_logits"]])  # (2, W, L)
        first_token = tf.cast(tf.gather(ids.row_starts(), rows), tf.int32)
        found = window_candidates(
            logits,
            place,
            first_token + begin,
            end - begin,
            nearest_windows(rows, begin, end, ids),
            self.task.n_best,
            self.task.max_answer_length,
        )
        points = code_points(context)
        candidates = best_candidates(
            points,
            tf.gather(rows, found["window"]),
            tf.gather(starts.flat_values, found["first"]),
            tf.gather(limits.flat_values, found["last"]),
            found["score"],
        )
        no_answer = None
        if self.task.has_no_answer:  # the window that is least sure of having none
            cls = tf.cast(logits[:, :, :1], tf.float64)
            cls = tf.reduce_sum(cls, axis=[0, 2])  # (W,)
            no_answer = tf.math.segment_min(cls, rows)
        entries = n_best_entries(
            points, candidates, tf.size(question), self.task.n_best, no_answer
        )
        return self._outputs(entries, no_answer) | {"truncated": truncated}

    def _asked(self, question):
        """Tokens of the questions, ragged (B, None), and which were cut, bool (B,)."""
        room = self.task.sequence_length - 3 - LEAST_ROOM
        most = max(1, min(self.task.max_question_length, room))
        asked = self.tokenizer(question)
        return asked[:, :most], asked.row_lengths() > most

    def _windows(self, asked, ids):
        """Over each context, in the room that its question leaves."""
        length = tf.cast(asked.row_lengths(), tf.int32)
        room = tf.maximum(1, self.task.sequence_length - 3 - length)
        stride = tf.minimum(STRIDE, tf.maximum(1, room // 2))
        if self.task.stride is not None:
            stride = tf.minimum(self.task.stride, room)
        return window_spans(tf.cast(ids.row_lengths(), tf.int32), room, stride)

    def _outputs(self, entries, no_answer):
        """The entries (B, N), and the one that answers: the best, or no answer."""
        is_answer = entries["start"] >= 0  # (B, N)
        has_best = tf.reduce_any(is_answer, axis=1)
        best = tf.argmax(tf.cast(is_answer, tf.int32), axis=1, output_type=tf.int32)
        chosen, nothing_said = best, ~has_best
        no_answer_probability = tf.zeros_like(entries["score"][:, 0])
        if no_answer is not None:
            best_score = tf.gather(entries["logit"], best, batch_dims=1)
            sure = tf.where(has_best, best_score, 0.0)
            nothing_said |= no_answer - sure > self.task.null_threshold
            place = entries["no_answer_place"]
            chosen = tf.where(nothing_said, place, best)
            no_answer_probability = tf.gather(entries["score"], place, batch_dims=1)
        answer, start, end, score = (
            tf.gather(entries[name], chosen, batch_dims=1)
            for name in ("text", "start", "end", "score")
        )
        most = tf.reduce_max(entries["count"])
        return {
            "answer": tf.where(nothing_said, "", answer),
            "start": tf.where(nothing_said, -1, start),
            "end": tf.where(nothing_said, -1, end),
            "score": score,
            "n_best_answers": entries["text"][:, :most],
            "n_best_starts": entries["start"][:, :most],
            "n_best_ends": entries["end"][:, :most],
            "n_best_scores": entries["score"][:, :most],
            "num_answers": entries["count"],
            "no_answer_probability": no_answer_probability,
        }
