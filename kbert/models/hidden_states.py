"""What a backbone computes on the way: the vectors of every layer, and attention."""

from collections.abc import Sequence

import keras
from keras import ops


def hidden_states_model(
    backbone: keras.Model, layers: Sequence[int] = (-1,), attention: bool = False
) -> keras.Model:
    """A model on a backbone's own layers that gives its vectors between them.

    The numbers are transformers' `output_hidden_states` and `output_attentions`. Blocks
    that no output needs are not computed. The backbone itself stays as it is, and as
    fast: attention maps are computed a second time, for this model alone.

    Args:
        backbone: a `BertBackbone`.
        layers: 0 for the embeddings' output, 1 to `num_layers` for that of a block;
            from the end -1, -2, and so on, to `-num_layers - 1`.
        attention: whether the maps of every block are given, too.

    Returns: a functional model with the backbone's inputs and, in a dict,
        `hidden_states`: a list with (B, L, D) for each of `layers`, in their order.
        `attentions`: a list with float32 (B, H, L, L) for each block, [b, h, i, j] what
        the head h at i pays to j: rows sum to 1, and to 0 over padding. Without
        `attention`, the list is not there.

    Raises:
        ValueError: no layers, or one that is not there.
    """
    last = backbone.num_layers
    if not layers or not all(-last - 1 <= layer <= last for layer in layers):
        raise ValueError(
            f"layers must be from {-last - 1} to {last}, 0 being the embeddings; got "
            f"{list(layers)}."
        )
    inputs = backbone.input
    x = backbone.embeddings(inputs["token_ids"], inputs["segment_ids"])
    states, maps = [x], []
    for block in backbone.blocks:
        if attention:
            attention_map = _attention_map_model(block.attention, f"{block.name}_map")
            maps.append(attention_map([x, backbone._mask]))
        x = block(x, backbone._mask)
        states.append(x)
    outputs = {"hidden_states": [states[layer] for layer in layers]}
    if attention:
        outputs["attentions"] = maps
    return keras.Model(inputs, outputs, name="hidden_states")


def _attention_map_model(attention, name):
    """`SelfAttention`'s probabilities: x (B, L, D), mask -> float32 (B, H, L, L).

    A model of its own, since the dense layers of all blocks have one name.
    """
    heads, policy = attention.num_heads, attention.dtype_policy
    x = keras.Input((None, attention.hidden_dim), dtype=policy.compute_dtype)
    mask = keras.Input((1, 1, None), dtype="float32")
    y = attention.query_key_value(x)  # (B, L, 3 D)
    y = keras.layers.Reshape((-1, 3 * heads, attention.head_dim), dtype=policy)(y)
    query, key, _ = ops.split(ops.transpose(y, (0, 2, 1, 3)), 3, axis=1)
    query = query * attention.head_dim**-0.5  # (B, H, L, d)
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    scores = ops.cast(scores, "float32") + mask
    return keras.Model([x, mask], ops.softmax(scores), name=name)
