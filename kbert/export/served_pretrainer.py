"""What a pre-trained model can answer by itself, inside the graph."""

import tensorflow as tf

from kbert.export.graph.text_stage import TextStage, checked, computed
from kbert.signatures import FILL_MASK, NEXT_SENTENCE
from kbert.tasks.fill_mask import is_filling

# Longer texts are not written out again for each mask and candidate: a short request
# would ask for gigabytes. A row of 512 tokens has rarely half as many.
LONGEST_FILLED = 8192  # bytes


class ServedPretrainer(tf.Module):
    """A `BertPretrainer` with its text stage.

    Args:
        apply_model: the inputs with `mask_positions` int32 (B, M) to `masked_lm`
            (B, M, V) and `next_sentence` (B, 2).
        tokenizer: its tokenizer.
        sequence_length: tokens that a text, or a pair, is cut to.
        has_next_sentence: whether the model was trained for it.

    Attributes:
        signatures: its functions, by name.
        num_texts: of each row of `attention`.
    """

    num_texts = 1

    def __init__(self, apply_model, tokenizer, sequence_length, has_next_sentence=True):
        super().__init__(name="served_pretrainer")
        self.apply_model = apply_model
        self.vocabulary = tokenizer.vocabulary
        self.put = tokenizer.filled_in_graph
        # Special tokens in a text are text; here the mask is what was asked for.
        mask = self.vocabulary.mask_token
        with_mask = tokenizer.with_special_tokens_in_text([mask])
        self.masked_texts = TextStage(with_mask, sequence_length)
        self.pairs = TextStage(tokenizer, sequence_length)
        self.tokens = tf.constant(self.vocabulary.tokens)  # (V,)
        declared = (FILL_MASK, NEXT_SENTENCE)[: 1 + has_next_sentence]
        self.signatures = {signature.name: signature for signature in declared}

    @classmethod
    def of(cls, servable, apply_model) -> "ServedPretrainer":
        """That of a `Servable`."""
        return cls(
            apply_model,
            servable.tokenizer,
            servable.sequence_length,
            servable.has_next_sentence,
        )

    def fill_mask(self, text, k):
        """Strings (B,) and int32 (B,) or scalar -> the outputs of `FILL_MASK`.

        The numbers of `kbert.tasks.fill_mask.fill_masks`; a text without [MASK] has
        none.
        """
        k = checked(k, k >= 1, "k must be at least 1.")
        k = tf.broadcast_to(tf.reshape(k, [-1]), tf.shape(text))  # (B,)
        num_fillings = is_filling(self.vocabulary, len(self.vocabulary)).sum()
        most = tf.minimum(tf.reduce_max(k), int(num_fillings))  # K
        inputs, truncated = self.masked_texts(text)
        is_mask = inputs["token_ids"] == self.vocabulary.mask_id
        num_masks = tf.reduce_sum(tf.cast(is_mask, tf.int32), axis=1)  # (B,)
        positions = tf.cast(tf.where(is_mask)[:, 1], tf.int32)
        positions = tf.RaggedTensor.from_row_lengths(positions, num_masks)
        length = tf.maximum(tf.reduce_max(num_masks), 1)
        inputs["mask_positions"] = positions.to_tensor(shape=[-1, length])  # (B, M)

        def candidates(inputs):
            scores = tf.nn.softmax(self.apply_model(inputs)["masked_lm"])  # (B, M, V)
            may_fill = tf.constant(is_filling(self.vocabulary, scores.shape[-1]))
            scores, ids = tf.math.top_k(tf.where(may_fill, scores, -1.0), most)
            return {"scores": scores, "ids": tf.cast(ids, tf.float32)}  # exact to 2^24

        found = computed(candidates, inputs, scores=(None, None), ids=(None, None))
        tokens = tf.gather(self.tokens, tf.cast(found["ids"], tf.int32))  # (B, M, K)
        filled = self._filled(text, tokens)
        is_there = tf.sequence_mask(num_masks, length)[:, :, None]
        is_there &= tf.sequence_mask(k, most)[:, None]
        count = tf.reduce_max(num_masks)
        outputs = {
            "tokens": tf.where(is_there, tokens, ""),
            "scores": tf.where(is_there, found["scores"], 0.0),
            "filled": tf.where(is_there, filled, ""),
        }
        outputs = {name: x[:, :count] for name, x in outputs.items()}
        return outputs | {"num_masks": num_masks, "truncated": truncated}

    def _filled(self, text, tokens):
        """The text with each token (B, M, K) in its place: see `Tokenizer.filled`."""
        mask = self.vocabulary.mask_token
        text = tf.where(tf.strings.length(text) > LONGEST_FILLED, "", text)
        parts = tf.strings.split(text, mask)  # (B, None)
        lengths = tf.strings.length(parts).to_tensor()  # in bytes, (B, P)
        missing = tf.maximum(0, tf.shape(tokens)[1] - tf.shape(lengths)[1])
        lengths = tf.pad(lengths, [[0, 0], [0, missing]])[:, : tf.shape(tokens)[1]]
        size = len(mask.encode("utf-8"))
        ends = tf.cumsum(lengths + size, axis=1) - size  # (B, M), where masks begin
        total = tf.strings.length(text)[:, None]
        ends = tf.minimum(ends, total)
        text = tf.repeat(text[:, None], tf.shape(tokens)[1], axis=1)
        before = tf.strings.substr(text, tf.zeros_like(ends), ends)[:, :, None]
        after_start = tf.minimum(ends + size, total)
        after = tf.strings.substr(text, after_start, total - after_start)[:, :, None]
        filled = self.put(before, tokens, after)
        return tf.where(total[:, :, None] > 0, filled, "")

    def next_sentence(self, text, text_b):
        """Strings (B,) and (B,) -> the outputs of `NEXT_SENTENCE`."""
        inputs, truncated = self.pairs(text, text_b)
        inputs["mask_positions"] = tf.zeros_like(inputs["token_ids"][:, :1])
        logits = computed(self.apply_model, inputs, next_sentence=(2,))["next_sentence"]
        score = tf.nn.softmax(logits)[:, 0]  # class 0: B follows A
        return {"score": score, "is_next": score > 0.5, "truncated": truncated}
