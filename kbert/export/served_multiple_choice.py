"""The right one of several choices, inside the graph."""

import tensorflow as tf

from kbert.export.graph.text_stage import TextStage, checked, computed
from kbert.export.graph.windows import ROWS_AT_ONCE
from kbert.models.multiple_choice import ABSENT
from kbert.signatures import TRUNCATED, Signature, Tensor

CHOOSE = Signature(
    "choose",
    (
        Tensor("question", "string", "B", "a question, or what is to be gone on with"),
        Tensor("choices", "string", "BC", 'two or more; "" fills up'),
    ),
    (
        Tensor("label", "string", "B", "the likeliest choice"),
        Tensor("index", "int32", "B", "its place, from 0"),
        Tensor("score", "float32", "B", "its probability, 0 to 1"),
        Tensor("scores", "float32", "BC", "the probability of each choice, sum 1"),
        Tensor("labels", "string", "BC", "the choices, in the order of the scores"),
        Tensor("num_choices", "int32", "B", "how many of the C there are"),
        TRUNCATED,
    ),
    {"C": "num_choices"},
)


class ServedMultipleChoice(tf.Module):
    """A `BertMultipleChoice` with its text stage.

    Args:
        apply_model: the inputs, int32 (B, C, L) each, to logits (B, C).
        tokenizer: its tokenizer.
        task: a `MultipleChoice`.

    Attributes:
        signatures: its function, by name.
        num_texts: of a row of the model.
    """

    num_texts = 2

    def __init__(self, apply_model, tokenizer, task):
        super().__init__(name="served_multiple_choice")
        self.apply_model = apply_model
        self.text_stage = TextStage(tokenizer, task.sequence_length)
        self.signatures = {"choose": CHOOSE}

    @classmethod
    def of(cls, servable, apply_model) -> "ServedMultipleChoice":
        """That of a `Servable`."""
        return cls(apply_model, servable.tokenizer, servable.task)

    def choose(self, question, choices):
        """Strings (B,) and (B, C) -> the outputs of `CHOOSE`."""
        count = tf.shape(choices)[1]
        is_there = choices != ""  # (B, C)
        num_choices = tf.reduce_sum(tf.cast(is_there, tf.int32), axis=1)
        message = "Expected a choice for each question."
        question = checked(question, num_choices > 0, message)
        message = "Expected choices first, and empty strings behind them alone."
        is_first = is_there == tf.sequence_mask(num_choices, count)
        choices = checked(choices, is_first, message)
        inputs, truncated = self.text_stage(
            tf.repeat(question, count), tf.reshape(choices, [-1])
        )
        inputs["padding_mask"] *= tf.cast(tf.reshape(is_there, [-1, 1]), tf.int32)
        inputs = {
            name: tf.reshape(x, [tf.size(question), count, tf.shape(x)[1]])
            for name, x in inputs.items()
        }  # (B, C, L)
        at_once = tf.maximum(1, ROWS_AT_ONCE // count)
        logits = computed(self.apply_model, inputs, at_once, logits=(None,))["logits"]
        logits = tf.where(is_there, logits, ABSENT)
        scores = tf.where(is_there, tf.nn.softmax(logits), 0.0)
        best = tf.argmax(logits, axis=1, output_type=tf.int32)
        truncated = tf.reshape(truncated, [tf.size(question), count]) & is_there
        return {
            "label": tf.gather(choices, best, batch_dims=1),
            "index": best,
            "score": tf.gather(scores, best, batch_dims=1),
            "scores": scores,
            "labels": choices,
            "num_choices": num_choices,
            "truncated": tf.reduce_any(truncated, axis=1),
        }
