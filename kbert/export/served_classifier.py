"""Labels and numbers for texts and pairs, inside the graph."""

import tensorflow as tf

from kbert.export.graph.text_stage import TextStage, computed
from kbert.signatures import classify, classify_several, regress


class ServedClassifier(tf.Module):
    """A `BertTextClassifier` with its text stage.

    Args:
        apply_model: the inputs, int32 (B, L) each, to logits (B, C).
        tokenizer: its tokenizer.
        task: a `TextClassification`; with two text columns it takes pairs.

    Attributes:
        signatures: its functions by name: `classify`, or `regress` of a regression.
        num_texts: of each row, 1 or 2.
    """

    def __init__(self, apply_model, tokenizer, task):
        super().__init__(name="served_classifier")
        self.apply_model = apply_model
        self.text_stage = TextStage(tokenizer, task.sequence_length)
        self.labels = tf.constant(task.labels, tf.string)  # (C,)
        self.num_outputs = len(task.labels) or 1
        self.has_several = task.problem_type == "multi_label_classification"
        self.num_texts = len(task.text_columns)
        declared = {
            "single_label_classification": classify,
            "multi_label_classification": classify_several,
            "regression": regress,
        }[task.problem_type](self.num_texts)
        self.signatures = {declared.name: declared}

    @classmethod
    def of(cls, servable, apply_model) -> "ServedClassifier":
        """That of a `Servable`."""
        return cls(apply_model, servable.tokenizer, servable.task)

    def classify(self, *texts):
        """Strings (B,), one or two of them -> the outputs of `signatures.classify`."""
        logits, truncated = self._logits(texts)
        to_scores = tf.sigmoid if self.has_several else tf.nn.softmax
        scores = to_scores(logits)  # (B, C)
        outputs = {
            "label": tf.gather(self.labels, tf.argmax(scores, axis=1)),
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
            "labels": tf.repeat(self.labels[None], tf.shape(scores)[0], axis=0),
            "truncated": truncated,
        }
        return outputs | ({"is_chosen": logits > 0} if self.has_several else {})

    def regress(self, *texts):
        """Strings (B,), one or two of them -> the outputs of `signatures.regress`."""
        logits, truncated = self._logits(texts)
        return {"score": logits[:, 0], "truncated": truncated}

    def _logits(self, texts):
        inputs, truncated = self.text_stage(*texts)
        shape = (self.num_outputs,)
        return computed(self.apply_model, inputs, logits=shape)["logits"], truncated
