"""TensorFlow 2 Model Garden's checkpoints (tensorflow/models, official.nlp), read.

They are object-based: a variable is known by the path of attributes that leads to it
from the saved object, and the file holds the graph of all objects. Which path spells
its key depends on what else was saved, as it is the shortest: the token embedding of a
pre-trained model lies under "masked_lm/embedding_table". So the graph is walked here,
and the keys are only looked up at its end. Read are

    encoders      `BertEncoder`, `BertEncoderV2` and TF 2.0's `TransformerEncoder`
    heads         `BertPretrainer`, `BertPretrainerV2`, `BertClassifier`,
                  `BertTokenClassifier`, `BertSpanLabeler`

saved alone, as "encoder", as "model", or inside a trainer. A head with a dense layer of
its own, as `BertPretrainerV2` gives next sentence prediction, reads [CLS] through that
one: it is the pooler here, and the encoder's own, which nothing trained, is ignored.

Sizes come from `bert_config.json` beside the files, else from the variables' shapes.
"""

import warnings
from pathlib import Path

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.tensorflow import google
from kbert.checkpoints.tensorflow.object_graph import ObjectGraph
from kbert.checkpoints.tensorflow.tensor_bundle import (
    OBJECT_GRAPH,
    TensorBundle,
    find_prefix,
)
from kbert.checkpoints.weight_maps import (
    MODEL_GARDEN_FIRST_BLOCK,
    MODEL_GARDEN_HEADS,
    MODEL_GARDEN_IGNORED,
    MODEL_GARDEN_NUMBERED,
    MODEL_GARDEN_SPELLINGS,
    model_garden_backbone,
)
from kbert.config import BertConfig
from kbert.registry import KINDS

FORMAT = "TensorFlow 2 Model Garden"

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_LAYER = "layer_with_weights-{}"
_FIRST_BLOCK = "encoder/_transformer_layers/0"


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path, a directory or the start of files, is object-based (TF2)."""
    try:
        prefix = find_prefix(path)
        return prefix is not None and OBJECT_GRAPH in TensorBundle(prefix)
    except ValueError:
        return False


def read_checkpoint(path: str | Path) -> Checkpoint:
    """A checkpoint's sizes, head and variables; no number is read until asked.

    Names are those of the newest encoder's attributes, whatever the file's layout;
    variables that are no weights keep their keys. Tensors of attention, (D, H, D/H) and
    (H, D/H, D) there, are given as (D, D) kernels. Where the file does not say which of
    two heads it is of (before TF 2.3), it is read as a text classifier. Who knows
    better replaces `head` and `head_arguments`.

    Args:
        path: the directory, or the path of one checkpoint in it, "…/bert_model.ckpt-1".

    Raises:
        FileNotFoundError: no such checkpoint, or no data beside its index.
        ValueError: a damaged file, no BERT encoder in it, or bert_config.json of
            another model.

    Warns where there is no bert_config.json.
    """
    prefix = find_prefix(path)
    if prefix is None:
        raise FileNotFoundError(
            f"Expected an object-based checkpoint at {path}; there is no *.index."
        )
    bundle = TensorBundle(prefix)
    if OBJECT_GRAPH not in bundle:
        raise ValueError(
            f"Expected an object-based checkpoint in {prefix}; it is one of TF1, which "
            "kbert.checkpoints.tensorflow.google reads."
        )
    graph = ObjectGraph(bundle[OBJECT_GRAPH])
    parts = _parts(graph, prefix)
    num_layers = _num_layers(graph, parts["encoder"])
    backbone = model_garden_backbone(num_layers)
    rows = {name: backbone + rows for name, rows in MODEL_GARDEN_HEADS.items()}
    names = {n for table in rows.values() for row in table for n in row.theirs}
    keys = {name: _key(graph, parts, name, num_layers) for name in names}
    keys = {name: key for name, key in keys.items() if key}
    shapes = {name: bundle.shapes[key] for name, key in keys.items()}
    head = _head(graph, parts)
    arguments = {}
    if KINDS[head].has_classes:
        arguments["num_classes"] = shapes["head/out_proj/bias"][0]
    left = set(bundle) - set(keys.values()) - {OBJECT_GRAPH}
    unread = {graph.key(node) for node in parts["unread"]}
    inside = {graph.key(node) for node in graph.breadth_first(parts["encoder"])}

    def ignored(key):
        if key in unread:
            return "the encoder's own pooler, which the head does not read"
        words = key.split("/")
        return next((w for p, w in MODEL_GARDEN_IGNORED.items() if p in words), None)

    return Checkpoint(
        format=FORMAT,
        path=prefix,
        config=_config(prefix, num_layers, shapes),
        head=head,
        head_arguments=arguments,
        names=(*sorted(keys), *sorted(left)),
        read=lambda name: _merged(name, bundle[keys.get(name, name)]),
        rows=rows,
        ignored=ignored,
        in_backbone=lambda name: keys.get(name, name) in inside,
    )


def _parts(graph, prefix):
    """The objects that the names of the tables start from.

    Returns: a dict with `encoder`; where there are any, `masked_lm`, `next_sentence` or
        `head` (the layer of the logits, or what holds it), and `pooler`; and `unread`,
        the variables of a pooler that is not in use.

    Raises:
        ValueError: there is no BERT encoder, or there are several.
    """
    encoders = [n for n in graph.breadth_first() if _is_encoder(graph, n)]
    encoder = next(iter(encoders), None)
    tables = sorted({_table(graph, node) for node in encoders})
    if len(tables) > 1:
        raise ValueError(
            f"Expected one encoder in {prefix}; there are {len(tables)}, with the "
            f"tables {' and '.join(tables)}. Save the one that is meant by itself."
        )
    if encoder is None:
        known = ", ".join(sorted(graph.children[0])[:6])
        raise ValueError(
            f"Expected a BERT encoder of TensorFlow's Model Garden in {prefix}; in "
            f"what was saved there ({known}, …) is none: another architecture, or "
            "embeddings narrower than the encoder."
        )
    parts = {"encoder": encoder, "unread": ()}
    masked_lm = next((n for n in graph.breadth_first() if _is_mlm(graph, n)), None)
    if masked_lm is not None:
        parts["masked_lm"] = masked_lm
    head, own_pooler = _output(graph, encoder, masked_lm)
    if head is not None:
        parts["head" if masked_lm is None else "next_sentence"] = head
    number = MODEL_GARDEN_FIRST_BLOCK + _num_layers(graph, encoder)
    pooler = graph.walk(encoder, "_pooler_layer")
    if pooler is None:
        pooler = graph.walk(encoder, _LAYER.format(number))
    if own_pooler is not None and pooler is not None:
        parts["unread"] = [graph.walk(pooler, name) for name in ("kernel", "bias")]
    parts["pooler"] = pooler if own_pooler is None else own_pooler
    return parts


def _is_encoder(graph, node):
    by_number = _LAYER.format(MODEL_GARDEN_FIRST_BLOCK)
    if graph.walk(node, "_embedding_projection") is not None:
        return False
    return any(
        graph.walk(node, f"{table}/embeddings") is not None
        and graph.walk(node, f"{block}/_attention_layer") is not None
        for table, block in (
            ("_embedding_layer", "_transformer_layers/0"),
            (_LAYER.format(0), by_number),
        )
    )


def _table(graph, encoder):
    """The key of its table of words."""
    layers = ("_embedding_layer", _LAYER.format(0))
    keys = (graph.key(graph.walk(encoder, f"{n}/embeddings")) for n in layers)
    return next(filter(None, keys), "")


def _is_mlm(graph, node):
    return all(
        graph.walk(node, n) is not None for n in ("dense", "layer_norm", "bias")
    ) or all(
        graph.walk(node, f"{_LAYER.format(i)}/{name}") is not None
        for i, name in enumerate(("kernel", "gamma", "bias"))
    )


def _output(graph, encoder, masked_lm):
    """(what holds the logits' layer, the dense layer between it and [CLS]), or None.

    A head lies beside the encoder in the model that has both.
    """
    found, own_pooler = None, None
    for node in graph.breadth_first():
        if encoder not in graph.children[node].values():
            continue
        beside = dict(graph.children[node])
        for name, head in beside.items():
            if name.endswith(".pooler_dense"):  # saved by itself, beside the encoder
                own_pooler = head
        listed = graph.walk(node, "classification_heads")
        beside |= graph.children[listed] if listed is not None else {}
        for head in beside.values():
            if head in (encoder, masked_lm, own_pooler) or found is not None:
                continue
            if _logits(graph, head) is not None:
                found = head
                own_pooler = graph.walk(head, "dense") or own_pooler
    return found, own_pooler


def _logits(graph, head):
    """The dense layer of the logits: the head itself, or its only layer."""
    for path in ("out_proj", _LAYER.format(0), ""):
        node = graph.walk(head, path)
        if graph.key(graph.walk(node, "kernel")) and graph.key(
            graph.walk(node, "bias")
        ):
            return node
    return None


def _head(graph, parts):
    if "masked_lm" in parts:
        return "pretrainer"
    if "head" not in parts:
        return "backbone"
    spans = [children.get("span_labeling") for children in graph.children]
    if parts["head"] in spans:
        return "question_answerer"
    is_dense = _logits(graph, parts["head"]) == parts["head"]
    return "token_classifier" if is_dense else "text_classifier"


def _num_layers(graph, encoder):
    count = 0
    while any(
        graph.walk(encoder, f"{block}/_attention_layer") is not None
        for block in (
            f"_transformer_layers/{count}",
            _LAYER.format(MODEL_GARDEN_FIRST_BLOCK + count),
        )
    ):
        count += 1
    return count


def _key(graph, parts, name, num_layers):
    """The key of the variable that a table calls `name`, or None."""
    for spelling in _spellings(name, num_layers):
        part, _, path = spelling.partition("/")
        start = parts.get(part)
        if path.startswith("out_proj/") and start is not None:
            start, path = _logits(graph, start), path.removeprefix("out_proj/")
        key = graph.key(graph.walk(start, path))
        if key:
            return key
    return None


def _spellings(name, num_layers):
    """A name of the tables in all layouts.

    >>> for name in _spellings("encoder/_transformer_layers/0/_output_dense/bias", 1):
    ...     print(name)
    encoder/_transformer_layers/0/_output_dense/bias
    encoder/layer_with_weights-4/_output_dense/bias
    """
    if name.startswith("encoder/_pooler_layer/"):  # which `_parts` has chosen
        return [name.removeprefix("encoder/_").replace("pooler_layer", "pooler")]
    others = {
        f"encoder/{a}/": f"encoder/{b}/" for a, b in MODEL_GARDEN_NUMBERED.items()
    }
    for i in range(num_layers):
        layer = _LAYER.format(MODEL_GARDEN_FIRST_BLOCK + i)
        others[f"encoder/_transformer_layers/{i}/"] = f"encoder/{layer}/"
    found = [name]
    for ours, theirs in (others | MODEL_GARDEN_SPELLINGS).items():
        found += [n.replace(ours, theirs) for n in found if ours in n]
    return found


def _merged(name, value):
    """A tensor of attention without its axis of heads; others as they are."""
    if "/_attention_layer/" not in name:
        return value
    if name.endswith("/_output_dense/kernel"):
        return value.reshape(-1, value.shape[-1])  # (H, D/H, D) -> (D, D)
    if name.endswith("/kernel"):
        return value.reshape(value.shape[0], -1)  # (D, H, D/H) -> (D, D)
    return value.reshape(-1)  # (H, D/H) -> (D,)


def _config(prefix, num_layers, shapes):
    """`bert_config.json` beside the files, else what shapes and code say."""
    query = f"{_FIRST_BLOCK}/_attention_layer/_query_dense/kernel"
    hidden_dim, num_heads, _ = shapes[query]
    if (prefix.parent / google.CONFIG).is_file():
        config = google.read_config(prefix.parent)
        if (config.num_layers, config.num_heads) != (num_layers, num_heads):
            raise ValueError(
                f"Expected {num_layers} layers with {num_heads} heads, as in the "
                f"weights of {prefix}; {google.CONFIG} says {config.num_layers} with "
                f"{config.num_heads}. They do not belong together."
            )
        return config
    warnings.warn(
        f"{prefix.parent} has no {google.CONFIG}: sizes are taken from the weights, "
        "GELU in its form by tanh and a dropout of 0.1 are assumed, the defaults of "
        "Model Garden.",
        stacklevel=3,
    )
    vocabulary_size, max_sequence_length, num_segments = (
        shapes[f"encoder/{layer}/embeddings"][0]
        for layer in list(MODEL_GARDEN_NUMBERED)[:3]
    )
    return BertConfig(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=shapes[f"{_FIRST_BLOCK}/_intermediate_dense/kernel"][-1],
        activation="gelu_tanh",
        max_sequence_length=max_sequence_length,
        num_segments=num_segments,
    )
