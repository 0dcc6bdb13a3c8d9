"""The Hugging Face BERT directory, which is kbert's own format on disk.

    config.json            sizes, dropouts, labels; under "kbert", what only kbert reads
    vocab.txt              one token a line
    tokenizer_config.json  how text is normalised before it is cut into pieces
    model.safetensors      the weights, float32

What kbert writes loads in transformers, heads included, and the other way round. Read
are also weights in several files and in PyTorch's own format
(`kbert.checkpoints.huggingface.weights`), in any floating-point dtype, and the
spellings of older versions.
"""

import errno
import json
import os
import re
import warnings
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.encoder_names import (
    EncoderNames,
    architecture_of,
    encoder_names,
    of_training,
)
from kbert.checkpoints.huggingface.stored_head import architecture, stored_head
from kbert.checkpoints.huggingface.weights import WEIGHTS, has_weights, open_weights
from kbert.checkpoints.model_builder import variables_of
from kbert.checkpoints.weight_maps import (
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_CONFIG_FIELDS,
    HUGGINGFACE_HEADS,
    HUGGINGFACE_REDUNDANT,
    huggingface_backbone,
)
from kbert.checkpoints.weight_transfer import extract
from kbert.config import BertConfig
from kbert.models.backbone import backbone_of
from kbert.registry import kind_of

CONFIG = "config.json"
# Of the years before transformers; read where there is no config.json.
_OLD_CONFIG = "bert_config.json"
# Fields of config.json that change the arithmetic, and the one value read here.
_ONLY = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "pruned_heads": {},
    "quantization_config": None,
}


def is_checkpoint(path: str | Path) -> bool:
    """A directory with weights, or a config.json, as transformers names them."""
    path = Path(path)
    if not path.is_dir():
        return False
    if has_weights(path):
        return True
    if any(path.glob("*.index")):  # TensorFlow's weights, whatever lies beside them
        return False
    try:
        config = json.loads((path / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and not {"registered_name", "module"} & set(config)


def read_config(directory: Path) -> dict:
    """`config.json` as it stands.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not JSON, or of another architecture than BERT.
    """
    path = Path(directory) / CONFIG
    if not path.is_file() and (Path(directory) / _OLD_CONFIG).is_file():
        path = Path(directory) / _OLD_CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a model directory with {CONFIG}; {path} does not exist."
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}; {error}.") from None
    if not isinstance(config, dict):
        raise ValueError(f"Expected an object of settings in {path}; got {config!r}.")
    kind = config.get("model_type") or "bert"
    if not isinstance(kind, str) or architecture_of(kind):
        raise ValueError(
            f'Expected a BERT in {directory}; {path.name} says "model_type": '
            f"{json.dumps(kind)}."
        )
    if architecture_of(architecture(config) or "Bert"):
        raise ValueError(
            f"Expected a BERT in {directory}; {path.name} names {architecture(config)}."
        )
    return config


def bert_config(config: dict) -> BertConfig:
    """The sizes in a `config.json`; fields that are absent take BERT's defaults.

    Raises:
        ValueError: an activation, or another kind of arithmetic, that kbert has not.
    """
    for name, value in _ONLY.items():
        if config.get(name, value) not in (value, None):
            raise ValueError(
                f"Expected {name} to be {json.dumps(value)}; config.json says "
                f"{json.dumps(config[name])}, which kbert does not compute."
            )
    fields = {
        ours: config[theirs]
        for theirs, ours in HUGGINGFACE_CONFIG_FIELDS.items()
        if theirs in config
    }
    activation = config.get("hidden_act", "gelu")
    if activation not in HUGGINGFACE_ACTIVATIONS:
        raise ValueError(
            f"Expected hidden_act to be one of {', '.join(HUGGINGFACE_ACTIVATIONS)}; "
            f"config.json says {activation!r}."
        )
    return BertConfig(**fields, activation=HUGGINGFACE_ACTIVATIONS[activation])


def read_checkpoint(directory: str | Path) -> Checkpoint:
    """Opens a directory: its settings, and the names of its tensors.

    Args:
        directory: with `config.json` and weights: `model.safetensors`, several such
            files with an index, `pytorch_model.bin`, or several of those.

    Returns: a `Checkpoint`. An architecture of BERT that kbert has no head for
        (`BertLMHeadModel`, a class of somebody's own) gives its backbone.

    Raises:
        FileNotFoundError: no config, no weights, or one of several files is missing.
        ValueError: a damaged file, or another architecture than BERT.
    """
    directory = Path(directory)
    config = read_config(directory)
    sizes = bert_config(config)
    tensors = open_weights(directory)
    try:
        found = encoder_names(tensors)
    except ValueError as error:
        raise ValueError(f"{directory}: {error}") from None
    _check_kind(config, found, directory)
    theirs = {known: name for name, known in found.known.items()}
    if "cls.predictions.decoder.bias" in theirs:  # stored once, under either name
        theirs.setdefault(
            "cls.predictions.bias", theirs["cls.predictions.decoder.bias"]
        )
    head, arguments = stored_head(config, found, theirs, directory)
    if not config.get("tie_word_embeddings", True) and _is_untied(tensors, theirs):
        head = f"{architecture(config)} with a decoder of its own"
    backbone = huggingface_backbone(sizes.num_layers)

    def ignored(name):
        if found.known.get(name) in HUGGINGFACE_REDUNDANT:
            return HUGGINGFACE_REDUNDANT[found.known[name]]
        return None if name in found.encoder else of_training(name)

    return Checkpoint(
        format="Hugging Face",
        path=directory,
        config=sizes,
        head=head,
        head_arguments=arguments,
        names=list(tensors),
        read=tensors.__getitem__,
        rows={
            name: [row.spelled(theirs) for row in backbone + rows]
            for name, rows in HUGGINGFACE_HEADS.items()
        },
        ignored=ignored,
        in_backbone=found.encoder.__contains__,
    )


def _is_untied(tensors, theirs):
    """The masked language model projects with another table than it embeds with."""
    names = ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight")
    if not set(names) <= set(theirs):
        return False
    one, other = (tensors[theirs[name]] for name in names)
    return not np.array_equal(one, other)


def _check_kind(config, found: EncoderNames, directory):
    """A `model_type` of somebody's own is taken for a BERT where its tensors are.

    Raises:
        ValueError: they are not.
    """
    kind = config.get("model_type") or "bert"
    if kind == "bert":
        return
    if "bert.embeddings.word_embeddings.weight" not in found.encoder.values():
        raise ValueError(
            f'Expected a BERT in {directory}; config.json says "model_type": '
            f"{json.dumps(kind)}, and none of its tensors is named as BERT's are."
        )
    warnings.warn(
        f'{directory}: config.json says "model_type": {json.dumps(kind)}, which kbert '
        "does not know; the tensors are named as a BERT's, as which they are read.",
        stacklevel=5,
    )


def write_config(model: keras.Model, directory: Path, more_config: dict) -> None:
    """Writes `config.json` into an existing directory.

    Args:
        model: a `BertBackbone` or one of kbert's models with a head.
        directory: where to.
        more_config: fields beside those of the backbone.

    Raises:
        ValueError: not a model of kbert, or labels that are not as many as its classes.
    """
    kind = kind_of(model)
    theirs = {ours: name for name, ours in HUGGINGFACE_CONFIG_FIELDS.items()}
    fields = backbone_of(model).get_config()
    activations = {ours: name for name, ours in HUGGINGFACE_ACTIVATIONS.items()}
    activations |= {"gelu_tanh": "gelu_new", "silu": "silu"}
    config = {
        "architectures": [kind.architectures[0]],
        "model_type": "bert",
        "hidden_act": activations[fields["activation"]],
        **{theirs[ours]: fields[ours] for ours in theirs},
        **_labels(model, more_config),
        **more_config,
    }
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (directory / CONFIG).write_text(text + "\n", "utf-8")


def write_model(model: keras.Model, directory: Path, more_config: dict) -> None:
    """Writes `config.json` and `model.safetensors` into an existing directory.

    Args:
        model: a `BertBackbone` or one of kbert's models with a head. Of models that do
            not read the pooler, transformers has none, and it is left out.
        directory: where to.
        more_config: fields of `config.json` beside those of the backbone.

    Raises:
        ValueError: not a model of kbert, or labels that are not as many as its classes.
        OSError: the disk is full or may not be written to.
    """
    write_config(model, directory, more_config)
    kind = kind_of(model)
    backbone = backbone_of(model)
    rows = huggingface_backbone(backbone.num_layers) + HUGGINGFACE_HEADS[kind.head]
    if not kind.reads_pooler:
        rows = [row for row in rows if not row.ours.startswith("pooler/")]
    tensors = extract(variables_of(model), rows)
    try:
        save_file(tensors, directory / WEIGHTS, metadata={"format": "pt"})
    except SafetensorError as error:  # which wraps the system's error in words
        code = re.search(r"(?:os error|code:) (\d+)", str(error))
        code = int(code[1]) if code else errno.EIO
        raise OSError(code, os.strerror(code), str(directory / WEIGHTS)) from error
    # safetensors makes files for the owner alone; ours are as readable as the rest.
    (directory / WEIGHTS).chmod((directory / CONFIG).stat().st_mode)


def _labels(model, more_config):
    """What `config.json` says of a classifier, unless a task names its labels."""
    if not kind_of(model).has_classes:
        return {}
    labels = [f"LABEL_{i}" for i in range(model.num_classes)]
    labels = more_config.get("id2label", dict(enumerate(labels)))
    if len(labels) != model.num_classes:
        raise ValueError(
            f"Expected id2label to name the {model.num_classes} classes of the model; "
            f"it names {len(labels)}."
        )
    return {
        "classifier_dropout": model.dropout,
        "id2label": {str(i): label for i, label in labels.items()},
        "label2id": {label: int(i) for i, label in labels.items()},
    }
