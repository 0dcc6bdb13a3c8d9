"""Which foreign tensor fills which weight: the only home of foreign names."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One weight of ours and the foreign tensors that it is made of.

    Attributes:
        ours: path of the weight, from its layer's name on.
        theirs: one foreign name, or several whose tensors stand side by side in ours
            along the last axis.
        transposed: the foreign tensors are (out, in), ours are (in, out).
    """

    ours: str
    theirs: tuple[str, ...]
    transposed: bool = False


def _dense(ours: str, *theirs: str) -> list[Row]:
    return [
        Row(f"{ours}/kernel", tuple(f"{t}.weight" for t in theirs), transposed=True),
        Row(f"{ours}/bias", tuple(f"{t}.bias" for t in theirs)),
    ]


def _norm(ours: str, theirs: str) -> list[Row]:
    return [
        Row(f"{ours}/gamma", (f"{theirs}.weight",)),
        Row(f"{ours}/beta", (f"{theirs}.bias",)),
    ]


def huggingface_backbone(num_layers: int) -> list[Row]:
    """`BertModel`, with its pooler."""
    tables = {
        "token_embedding": "word_embeddings",
        "position_embedding": "position_embeddings",
        "segment_embedding": "token_type_embeddings",
    }
    rows = [
        Row(f"embeddings/{ours}/embeddings", (f"bert.embeddings.{theirs}.weight",))
        for ours, theirs in tables.items()
    ]
    rows += _norm("embeddings/norm", "bert.embeddings.LayerNorm")
    for i in range(num_layers):
        ours, theirs = f"encoder_block_{i}", f"bert.encoder.layer.{i}"
        rows += [
            *_dense(
                f"{ours}/attention/query_key_value",
                f"{theirs}.attention.self.query",
                f"{theirs}.attention.self.key",
                f"{theirs}.attention.self.value",
            ),
            *_dense(
                f"{ours}/attention/output_projection",
                f"{theirs}.attention.output.dense",
            ),
            *_norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm"),
            *_dense(f"{ours}/intermediate", f"{theirs}.intermediate.dense"),
            *_dense(f"{ours}/output_dense", f"{theirs}.output.dense"),
            *_norm(f"{ours}/output_norm", f"{theirs}.output.LayerNorm"),
        ]
    return rows + _dense("pooler", "bert.pooler.dense")


# The decoder's weight is the token embedding and its bias `cls.predictions.bias`: tied
# there as here, and stored once.
HUGGINGFACE_PRETRAINER_HEADS = [
    *_dense("masked_lm_head/transform", "cls.predictions.transform.dense"),
    *_norm("masked_lm_head/norm", "cls.predictions.transform.LayerNorm"),
    Row("masked_lm_head/output_bias", ("cls.predictions.bias",)),
    *_dense("next_sentence_head/dense", "cls.seq_relationship"),
]
HUGGINGFACE_CLASSIFIER_HEAD = _dense("classifier", "classifier")

# May lie in a file and are not weights of ours: copies of tied tensors, and constants.
HUGGINGFACE_REDUNDANT = {
    "cls.predictions.decoder.weight": "tied to the token embedding",
    "cls.predictions.decoder.bias": "tied to cls.predictions.bias",
    "bert.embeddings.position_ids": "a constant",
}

# `hidden_act` of config.json and ours.
HUGGINGFACE_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
# Fields of config.json and of BertConfig that say the same.
HUGGINGFACE_CONFIG = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "hidden_size": "hidden_dim",
    "intermediate_size": "intermediate_dim",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "layer_norm_eps": "layer_norm_epsilon",
    "initializer_range": "initializer_range",
}
