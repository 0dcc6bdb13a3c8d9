"""What every BERT can tell of a text, inside the graph: vectors, pieces, attention."""

import tensorflow as tf

from kbert.export.graph.text_stage import TextStage, checked, computed
from kbert.models.hidden_states import hidden_states_model
from kbert.models.text_vectors import TextVectors
from kbert.signatures import EMBED, TOKENIZE, attention
from kbert.tasks.text_vectors import num_prompt_tokens, text_length

_MAPS_AT_ONCE = 4  # rows: those of all layers and heads are in memory together


class ServedEncoder(tf.Module):
    """A `BertBackbone` with its text stage, whatever head stands on it.

    Args:
        backbone: the Keras model.
        tokenizer: its tokenizer.
        sequence_length: tokens that a text, or a pair, is cut to.
        num_texts: 1, or 2 if `attention` takes pairs.
        pooling: how a text's vector is made of those of its tokens, special ones
            counted: one of `POOLINGS`. None for the backbone's own (`text_vectors`),
            else "mean".
        normalize: whether vectors are scaled to the length 1; None for the backbone's
            own, else False.

    Attributes:
        text_vectors: how `embed` makes a vector, a `TextVectors`.

    Raises:
        ValueError: another pooling.
    """

    def __init__(
        self,
        backbone,
        tokenizer,
        sequence_length,
        num_texts=1,
        pooling=None,
        normalize=None,
    ):
        super().__init__(name="served_encoder")
        own = backbone.text_vectors or TextVectors()
        self.text_vectors = own.with_options(pooling, normalize)
        self.dim = self.text_vectors.dim(backbone.hidden_dim)
        self.num_prompt_tokens = num_prompt_tokens(self.text_vectors, tokenizer)
        self.tokenizer = tokenizer
        self.text_stage = TextStage(tokenizer, sequence_length)
        longest = min(sequence_length, text_length(self.text_vectors, backbone))
        self.whole_texts = TextStage(tokenizer, longest)
        self.vectors = lambda inputs: backbone(inputs, training=False)
        states = hidden_states_model(backbone, attention=True)
        self.maps = lambda inputs: states(inputs, training=False)["attentions"]
        self.num_layers, self.num_heads = backbone.num_layers, backbone.num_heads
        self.tokens = tf.constant(tokenizer.vocabulary.tokens)  # (V,)
        declared = (EMBED, TOKENIZE, attention(num_texts))
        self.signatures = {signature.name: signature for signature in declared}

    def embed(self, text):
        """Strings (B,) -> the outputs of `EMBED`."""
        if self.text_vectors.prompt:
            text = tf.strings.join([self.text_vectors.prompt, text])
        inputs, truncated = self.whole_texts(text)

        def pooled(inputs):
            states = self.vectors(inputs)["sequence_output"]  # (B, L, D)
            mask = inputs["padding_mask"]
            return self.text_vectors(states, mask, self.num_prompt_tokens)

        vectors = computed(pooled, inputs, embedding=(self.dim,))["embedding"]
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
