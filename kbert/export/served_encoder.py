"""What every BERT can tell of a text, inside the graph: vectors, pieces, attention."""

import tensorflow as tf

from kbert.export.graph.text_stage import TextStage, checked, computed
from kbert.models.hidden_states import hidden_states_model
from kbert.signatures import EMBED, POOLINGS, TOKENIZE, attention

_MAPS_AT_ONCE = 4  # rows: those of all layers and heads are in memory together


class ServedEncoder(tf.Module):
    """A `BertBackbone` with its text stage, whatever head stands on it.

    Args:
        backbone: the Keras model.
        tokenizer: its tokenizer.
        sequence_length: tokens that a text, or a pair, is cut to.
        num_texts: 1, or 2 if `attention` takes pairs.
        pooling: a text's vector is the "mean" of those of its tokens, special ones
            counted, or that of [CLS], "cls".
        normalize: whether vectors are scaled to the length 1.

    Raises:
        ValueError: another pooling.
    """

    def __init__(
        self,
        backbone,
        tokenizer,
        sequence_length,
        num_texts=1,
        pooling="mean",
        normalize=False,
    ):
        super().__init__(name="served_encoder")
        if pooling not in POOLINGS:
            raise ValueError(
                f"Expected the pooling {' or '.join(POOLINGS)}; got {pooling!r}."
            )
        self.tokenizer = tokenizer
        self.text_stage = TextStage(tokenizer, sequence_length)
        self.pooling = pooling
        self.normalize = normalize
        self.vectors = lambda inputs: backbone(inputs, training=False)
        states = hidden_states_model(backbone, attention=True)
        self.maps = lambda inputs: states(inputs, training=False)["attentions"]
        self.num_layers, self.num_heads = backbone.num_layers, backbone.num_heads
        self.hidden_dim = backbone.hidden_dim
        self.tokens = tf.constant(tokenizer.vocabulary.tokens)  # (V,)
        declared = (EMBED, TOKENIZE, attention(num_texts))
        self.signatures = {signature.name: signature for signature in declared}

    def embed(self, text):
        """Strings (B,) -> the outputs of `EMBED`."""
        inputs, truncated = self.text_stage(text)

        def pooled(inputs):
            vectors = self.vectors(inputs)["sequence_output"]  # (B, L, D)
            if self.pooling == "cls":
                return vectors[:, 0]
            keep = tf.cast(inputs["padding_mask"], tf.float32)[:, :, None]
            return tf.reduce_sum(vectors * keep, axis=1) / tf.reduce_sum(keep, axis=1)

        vectors = computed(pooled, inputs, embedding=(self.hidden_dim,))["embedding"]
        if self.normalize:
            vectors = tf.math.l2_normalize(vectors, axis=1)
        return {"embedding": vectors, "truncated": truncated}

    def tokenize(self, text):
        """Strings (B,) -> the outputs of `TOKENIZE`."""
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(text)
        tokens = ids.with_flat_values(tf.gather(self.tokens, ids.flat_values))
        return {
            "tokens": tokens.to_tensor(""),
            "token_ids": ids.to_tensor(-1),
            "starts": starts.to_tensor(-1),
            "ends": ends.to_tensor(-1),
            "num_tokens": tf.cast(ids.row_lengths(), tf.int32),
        }

    def attention(self, *arguments):
        """One text or two, layer and head -> the outputs of `signatures.attention`."""
        *texts, layer, head = arguments
        inputs, truncated = self.text_stage(*texts)
        rows, chosen = tf.shape(texts[0]), {}
        for value, most, name in (
            (layer, self.num_layers, "layer"),
            (head, self.num_heads, "head"),
        ):
            message = f"{name} must be from 0 to {most - 1}."
            is_right = (value >= 0) & (value < most)
            value = checked(value, is_right, message)
            chosen[name] = tf.broadcast_to(tf.reshape(value, [-1]), rows)

        def map_of_head(part):
            layer, head = part.pop("layer"), part.pop("head")
            maps = tf.stack(self.maps(part), axis=1)  # (B, layers, H, L, L)
            return tf.gather_nd(maps, tf.stack([layer, head], axis=1), batch_dims=1)

        found = computed(
            map_of_head,
            inputs | chosen,
            rows_at_once=_MAPS_AT_ONCE,
            attention=(None, None),
        )
        keep = inputs["padding_mask"] == 1
        weights = tf.where(keep[:, :, None] & keep[:, None], found["attention"], 0.0)
        return {
            "tokens": tf.where(keep, tf.gather(self.tokens, inputs["token_ids"]), ""),
            "attention": weights,
            "num_tokens": tf.reduce_sum(inputs["padding_mask"], axis=1),
            "truncated": truncated,
        }
