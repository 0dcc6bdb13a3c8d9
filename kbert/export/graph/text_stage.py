"""Strings to the model's inputs inside the graph, and whether something was cut."""

import tensorflow as tf

from kbert.export.graph.windows import ROWS_AT_ONCE, in_turns
from kbert.text.preprocessor import BertPreprocessor


class TextStage(tf.Module):
    """Texts, or pairs, as one row of the model each.

    Args:
        tokenizer: a `BertTokenizer` or a `SentencePieceTokenizer`.
        sequence_length: tokens of a row, special ones counted; the rest is cut off.
    """

    def __init__(self, tokenizer, sequence_length):
        super().__init__()
        self.tokenizer = tokenizer
        # Its two steps are called apart: what is cut shows between them.
        self.preprocessor = BertPreprocessor(tokenizer, sequence_length)

    def __call__(self, *texts):
        """Strings (B,), one or two -> the inputs int32 (B, L), and cut bool (B,).

        L is the batch's longest row: padding that no row needs is not computed.
        """
        segments = tuple(self.tokenizer(text) for text in texts)
        inputs = self.preprocessor.packer(segments)
        needed = tf.add_n([s.row_lengths() for s in segments]) + 1 + len(segments)
        kept = tf.reduce_sum(inputs["padding_mask"], axis=1)  # (B,)
        longest = tf.maximum(tf.reduce_max(kept), 2)
        inputs = {name: x[:, :longest] for name, x in inputs.items()}
        return inputs, tf.cast(needed, tf.int32) > kept


def checked(value, is_right, message):
    """The value, once all of `is_right` holds.

    TensorFlow runs what does not wait for an assertion beside it: a wrong place could
    fail elsewhere first, with words of its own.

    Raises:
        InvalidArgumentError: something does not hold; it says `message`.
    """
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_all(is_right), [message])]
    ):
        return tf.identity(value)


def computed(function, inputs, rows_at_once=ROWS_AT_ONCE, **shapes):
    """The outputs of a model, or one output, some rows at a time.

    Args:
        function: the inputs to a tensor or a dict of tensors.
        inputs: int32 (W, …) each.
        rows_at_once: that memory has to hold.
        **shapes: of each output without its rows, as `logits=(3,)`; all are float32.

    Returns: a dict of float32 (W, …); a single output has the name given here.
    """
    specs = {name: tf.TensorSpec((None, *shape)) for name, shape in shapes.items()}

    def named(part):
        outputs = function(part)
        if not isinstance(outputs, dict):
            outputs = dict(zip(specs, [outputs], strict=True))
        return {name: outputs[name] for name in specs}

    return in_turns(named, inputs, specs, rows_at_once)
