"""Which foreign tensor fills which weight: the only home of foreign names."""

import dataclasses
from collections.abc import Callable, Mapping

from kbert.registry import KINDS


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

    def spelled(self, names: Mapping[str, str]) -> "Row":
        """With a file's own names in place of those that are known by another."""
        theirs = tuple(names.get(name, name) for name in self.theirs)
        return dataclasses.replace(self, theirs=theirs)


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


def _heads(
    format: str, dense: Callable[[str, str], list[Row]], **own: list[Row]
) -> dict[str, list[Row]]:
    """Head -> the rows that fill it, for the kinds that a format can hold.

    Args:
        format: as the registry's `Kind.dense` names it.
        dense: the rows of one dense layer, from its name here and its name there.
        **own: rows of heads that are more than that.
    """
    rows = {"backbone": []} | own
    for kind in KINDS.values():
        if format in kind.dense:
            rows[kind.head] = dense(*kind.head_layers, kind.dense[format])
    return rows


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
HUGGINGFACE_HEADS = _heads(
    "huggingface",
    _dense,
    pretrainer=[
        *_dense("masked_lm_head/transform", "cls.predictions.transform.dense"),
        *_norm("masked_lm_head/norm", "cls.predictions.transform.LayerNorm"),
        Row("masked_lm_head/output_bias", ("cls.predictions.bias",)),
        *_dense("next_sentence_head/dense", "cls.seq_relationship"),
    ],
)

# May lie in a file and are not weights of ours: copies of tied tensors, and constants.
HUGGINGFACE_REDUNDANT = {
    "cls.predictions.decoder.weight": "tied to the token embedding",
    "cls.predictions.decoder.bias": "tied to cls.predictions.bias",
    "bert.embeddings.position_ids": "a constant",
    "bert.embeddings.token_type_ids": "a constant",
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
HUGGINGFACE_CONFIG_FIELDS = {
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


# KerasHub: a name is the file, and the path of the tensor in it. Keras numbers the
# layers of one class in the order of the graph, and the weights of a layer in the order
# they were made, so the names say nothing else.
KERASHUB_MODEL, KERASHUB_TASK = "model.weights.h5", "task.weights.h5"


def _numbered(ours: str, weights: tuple[str, str], *theirs: str) -> list[Row]:
    return [
        Row(f"{ours}/{weight}", tuple(f"{t}/vars/{i}" for t in theirs))
        for i, weight in enumerate(weights)
    ]


def kerashub_backbone(num_layers: int) -> list[Row]:
    """`BertBackbone`, with its pooler; attention weights flattened to 2-D kernels."""
    dense, norm = ("kernel", "bias"), ("gamma", "beta")
    layers = f"{KERASHUB_MODEL}/layers"
    tables = {
        "token_embedding": "reversible_embedding",
        "position_embedding": "position_embedding",
        "segment_embedding": "embedding",
    }
    rows = [
        Row(f"embeddings/{ours}/embeddings", (f"{layers}/{theirs}/vars/0",))
        for ours, theirs in tables.items()
    ]
    rows += _numbered("embeddings/norm", norm, f"{layers}/layer_normalization")
    for i in range(num_layers):
        ours = f"encoder_block_{i}"
        theirs = f"{layers}/transformer_encoder" + (f"_{i}" if i else "")
        attention = f"{theirs}/_self_attention_layer"
        rows += [
            *_numbered(
                f"{ours}/attention/query_key_value",
                dense,
                f"{attention}/query_dense",
                f"{attention}/key_dense",
                f"{attention}/value_dense",
            ),
            *_numbered(
                f"{ours}/attention/output_projection",
                dense,
                f"{attention}/output_dense",
            ),
            *_numbered(
                f"{ours}/attention_norm", norm, f"{theirs}/_self_attention_layer_norm"
            ),
            *_numbered(
                f"{ours}/intermediate",
                dense,
                f"{theirs}/_feedforward_intermediate_dense",
            ),
            *_numbered(
                f"{ours}/output_dense", dense, f"{theirs}/_feedforward_output_dense"
            ),
            *_numbered(
                f"{ours}/output_norm", norm, f"{theirs}/_feedforward_layer_norm"
            ),
        ]
    return rows + _numbered("pooler", dense, f"{layers}/dense")


def _kerashub_heads() -> dict[str, list[Row]]:
    dense, norm = ("kernel", "bias"), ("gamma", "beta")
    layers = f"{KERASHUB_TASK}/layers"
    theirs = f"{layers}/masked_lm_head"
    return _heads(
        "kerashub",
        lambda ours, theirs: _numbered(ours, dense, f"{layers}/{theirs}"),
        pretrainer=[
            *_numbered(
                "masked_lm_head/transform", dense, f"{theirs}/_intermediate_dense"
            ),
            *_numbered(
                "masked_lm_head/norm", norm, f"{theirs}/_intermediate_layer_norm"
            ),
            Row("masked_lm_head/output_bias", (f"{theirs}/vars/0",)),
        ],
    )


# KerasHub has no next sentence head, and no other models.
KERASHUB_HEADS = _kerashub_heads()


def _keras_dense(ours: str, *theirs: str) -> list[Row]:
    return [
        Row(f"{ours}/kernel", tuple(f"{t}/kernel" for t in theirs)),
        Row(f"{ours}/bias", tuple(f"{t}/bias" for t in theirs)),
    ]


def _keras_norm(ours: str, theirs: str) -> list[Row]:
    return [Row(f"{ours}/{name}", (f"{theirs}/{name}",)) for name in ("gamma", "beta")]


def google_backbone(num_layers: int) -> list[Row]:
    """`modeling.BertModel` of google-research/bert (TF1), with its pooler."""
    tables = {
        "token_embedding": "word_embeddings",
        "position_embedding": "position_embeddings",
        "segment_embedding": "token_type_embeddings",
    }
    rows = [
        Row(f"embeddings/{ours}/embeddings", (f"bert/embeddings/{theirs}",))
        for ours, theirs in tables.items()
    ]
    rows += _keras_norm("embeddings/norm", "bert/embeddings/LayerNorm")
    for i in range(num_layers):
        ours, theirs = f"encoder_block_{i}", f"bert/encoder/layer_{i}"
        rows += [
            *_keras_dense(
                f"{ours}/attention/query_key_value",
                f"{theirs}/attention/self/query",
                f"{theirs}/attention/self/key",
                f"{theirs}/attention/self/value",
            ),
            *_keras_dense(
                f"{ours}/attention/output_projection",
                f"{theirs}/attention/output/dense",
            ),
            *_keras_norm(
                f"{ours}/attention_norm", f"{theirs}/attention/output/LayerNorm"
            ),
            *_keras_dense(f"{ours}/intermediate", f"{theirs}/intermediate/dense"),
            *_keras_dense(f"{ours}/output_dense", f"{theirs}/output/dense"),
            *_keras_norm(f"{ours}/output_norm", f"{theirs}/output/LayerNorm"),
        ]
    return rows + _keras_dense("pooler", "bert/pooler/dense")


def _google_output(ours: str, scope: str) -> list[Row]:
    return [
        Row(f"{ours}/kernel", (f"{scope}output_weights",), transposed=True),
        Row(f"{ours}/bias", (f"{scope}output_bias",)),
    ]


# The heads of run_pretraining.py, run_classifier.py and run_squad.py; taggers made from
# run_classifier.py spell theirs as it does.
GOOGLE_HEADS = _heads(
    "google",
    _google_output,
    pretrainer=[
        *_keras_dense("masked_lm_head/transform", "cls/predictions/transform/dense"),
        *_keras_norm("masked_lm_head/norm", "cls/predictions/transform/LayerNorm"),
        Row("masked_lm_head/output_bias", ("cls/predictions/output_bias",)),
        *_google_output("next_sentence_head/dense", "cls/seq_relationship/"),
    ],
)
# Variables beside the weights, and what they are.
GOOGLE_IGNORED = {
    "global_step": "counts the steps of its training",
    "beta1_power": "a state of the optimizer",
    "beta2_power": "a state of the optimizer",
}
# What a variable's name starts with in checkpoints of other architectures.
GOOGLE_STRANGERS = {
    "electra/": "ELECTRA",
    "discriminator_predictions/": "ELECTRA",
    "generator": "ELECTRA",
    "bert/encoder/transformer/": "ALBERT",
    "bert/encoder/embedding_hidden_mapping_in/": "ALBERT",
    "albert/": "ALBERT",
    "roberta/": "RoBERTa",
    "model/transformer/": "XLNet",
}
# `hidden_act` of bert_config.json and ours: Google's code computes GELU by tanh.
GOOGLE_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu", "tanh": "tanh"}
# Fields of bert_config.json; the epsilon is 1e-12 in Google's code and no field.
GOOGLE_CONFIG_FIELDS = {
    theirs: ours
    for theirs, ours in HUGGINGFACE_CONFIG_FIELDS.items()
    if theirs != "layer_norm_eps"
}
# What Google's code takes for a field that is absent, where it is not ours.
GOOGLE_DEFAULTS = {"num_segments": 16}


def model_garden_backbone(num_layers: int) -> list[Row]:
    """`BertEncoderV2` of tensorflow/models' official.nlp, with its pooler.

    The names are paths of attributes. Queries, keys and values are tensors with an axis
    of heads, (D, H, D/H), which the reader merges.
    """
    rows = [
        Row(f"embeddings/{ours}_embedding/embeddings", (f"encoder/{theirs}",))
        for ours, theirs in {
            "token": "_embedding_layer/embeddings",
            "position": "_position_embedding_layer/embeddings",
            "segment": "_type_embedding_layer/embeddings",
        }.items()
    ]
    rows += _keras_norm("embeddings/norm", "encoder/_embedding_norm_layer")
    for i in range(num_layers):
        ours, theirs = f"encoder_block_{i}", f"encoder/_transformer_layers/{i}"
        attention = f"{theirs}/_attention_layer"
        rows += [
            *_keras_dense(
                f"{ours}/attention/query_key_value",
                f"{attention}/_query_dense",
                f"{attention}/_key_dense",
                f"{attention}/_value_dense",
            ),
            *_keras_dense(
                f"{ours}/attention/output_projection", f"{attention}/_output_dense"
            ),
            *_keras_norm(f"{ours}/attention_norm", f"{theirs}/_attention_layer_norm"),
            *_keras_dense(f"{ours}/intermediate", f"{theirs}/_intermediate_dense"),
            *_keras_dense(f"{ours}/output_dense", f"{theirs}/_output_dense"),
            *_keras_norm(f"{ours}/output_norm", f"{theirs}/_output_layer_norm"),
        ]
    return rows + _keras_dense("pooler", "encoder/_pooler_layer")


# The heads' paths from where the reader finds them.
MODEL_GARDEN_HEADS = _heads(
    "model_garden",
    _keras_dense,
    pretrainer=[
        *_keras_dense("masked_lm_head/transform", "masked_lm/dense"),
        *_keras_norm("masked_lm_head/norm", "masked_lm/layer_norm"),
        Row("masked_lm_head/output_bias", ("masked_lm/bias",)),
        *_keras_dense("next_sentence_head/dense", "next_sentence/out_proj"),
    ],
)
# The same layers where the encoder is a functional model: numbered as they were made.
MODEL_GARDEN_NUMBERED = {
    "_embedding_layer": "layer_with_weights-0",
    "_position_embedding_layer": "layer_with_weights-1",
    "_type_embedding_layer": "layer_with_weights-2",
    "_embedding_norm_layer": "layer_with_weights-3",
}
MODEL_GARDEN_FIRST_BLOCK = 4  # then come the blocks, and after them the pooler
# Other spellings of one path: TF 2.0's attention, the heads that are functional models.
MODEL_GARDEN_SPELLINGS = {
    "_attention_layer/_output_dense": "_attention_output_dense",
    "masked_lm/dense": "masked_lm/layer_with_weights-0",
    "masked_lm/layer_norm": "masked_lm/layer_with_weights-1",
    "masked_lm/bias": "masked_lm/layer_with_weights-2/bias",
}
# Parts of the keys of variables beside the weights, and what they are.
MODEL_GARDEN_IGNORED = {
    ".OPTIMIZER_SLOT": "a slot of the optimizer",
    "optimizer": "a state of the optimizer",
    "save_counter": "counts how often it was saved",
    "global_step": "counts the steps of its training",
    "keras_api": "a metric",
    "metrics": "a metric",
}
