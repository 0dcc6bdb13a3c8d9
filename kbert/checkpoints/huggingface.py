"""The Hugging Face BERT directory, which is kbert's own format on disk.

    config.json            sizes, dropouts, labels; under "kbert", what only kbert reads
    vocab.txt              one token a line
    tokenizer_config.json  how text is normalised before it is cut into pieces
    model.safetensors      the weights, float32

What kbert writes loads in transformers, heads included, and the other way round.
"""

import json
from pathlib import Path

import keras
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kbert.checkpoints.assign import Report, assign, extract, weights_by_path
from kbert.checkpoints.weight_maps import (
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_CLASSIFIER_HEAD,
    HUGGINGFACE_CONFIG,
    HUGGINGFACE_PRETRAINER_HEADS,
    HUGGINGFACE_REDUNDANT,
    huggingface_backbone,
)
from kbert.config import BertConfig
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_HEADS = {
    "BertModel": [],
    "BertForPreTraining": HUGGINGFACE_PRETRAINER_HEADS,
    "BertForSequenceClassification": HUGGINGFACE_CLASSIFIER_HEAD,
}


def read_config(directory: Path) -> dict:
    """`config.json` as it stands.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not JSON, or of another architecture than BERT.
    """
    path = Path(directory) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a model directory with {CONFIG}; {path} does not exist."
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}; {error}.") from None
    if config.get("model_type", "bert") != "bert":
        raise ValueError(
            f'Expected a BERT in {directory}; config.json says "model_type": '
            f'"{config["model_type"]}".'
        )
    return config


def bert_config(config: dict) -> BertConfig:
    """The sizes in a `config.json`; fields that are absent take BERT's defaults."""
    fields = {
        ours: config[theirs]
        for theirs, ours in HUGGINGFACE_CONFIG.items()
        if theirs in config
    }
    activation = config.get("hidden_act", "gelu")
    if activation not in HUGGINGFACE_ACTIVATIONS:
        raise ValueError(
            f"Expected hidden_act to be one of {', '.join(HUGGINGFACE_ACTIVATIONS)}; "
            f"config.json says {activation!r}."
        )
    return BertConfig(**fields, activation=HUGGINGFACE_ACTIVATIONS[activation])


def write_model(model: keras.Model, directory: Path, more_config: dict) -> None:
    """Writes `config.json` and `model.safetensors` into an existing directory.

    Args:
        model: a `BertBackbone`, `BertPretrainer` or `BertTextClassifier`.
        directory: where to.
        more_config: fields of `config.json` beside those of the backbone.
    """
    architecture = _architecture(model)
    backbone = getattr(model, "backbone", model)
    theirs = {ours: name for name, ours in HUGGINGFACE_CONFIG.items()}
    fields = backbone.get_config()
    activations = {ours: name for name, ours in HUGGINGFACE_ACTIVATIONS.items()}
    activations |= {"gelu_tanh": "gelu_new", "silu": "silu"}
    config = {
        "architectures": [architecture],
        "model_type": "bert",
        "hidden_act": activations[fields["activation"]],
        **{theirs[ours]: fields[ours] for ours in theirs},
        **_head_config(model),
        **more_config,
    }
    text = json.dumps(config, ensure_ascii=False, indent=2)
    (directory / CONFIG).write_text(text + "\n", "utf-8")
    rows = huggingface_backbone(backbone.num_layers) + _HEADS[architecture]
    tensors = extract(_variables(model), rows)
    save_file(tensors, directory / WEIGHTS, metadata={"format": "pt"})
    # safetensors makes files for the owner alone; ours are as readable as the rest.
    (directory / WEIGHTS).chmod((directory / CONFIG).stat().st_mode)


def _head_config(model):
    """What `config.json` says of a classifier, unless a task names its labels."""
    if not isinstance(model, BertTextClassifier):
        return {}
    labels = [f"LABEL_{i}" for i in range(model.num_classes)]
    return {
        "classifier_dropout": model.dropout,
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }


def read_model(
    directory: Path, architecture: str | None = None, dtype=None
) -> tuple[keras.Model, Report]:
    """Builds the model that `config.json` names and fills it from the weights.

    Args:
        directory: a Hugging Face BERT directory.
        architecture: build this one instead, e.g. "BertModel" for the backbone alone.
        dtype: Keras dtype policy of the model; None for the global one.

    Raises:
        FileNotFoundError: no config or no weights.
        ValueError: a damaged file, weights that do not fit the config, or an
            architecture kbert has no model for.
    """
    config = read_config(directory)
    stored = (config.get("architectures") or ["BertModel"])[0]
    architecture = architecture or stored
    if architecture not in _HEADS:
        raise ValueError(
            f"Expected one of {', '.join(_HEADS)} in {directory}; config.json names "
            f"{architecture}."
        )
    backbone = BertBackbone(**bert_config(config).arguments(), dtype=dtype)
    if architecture == "BertForPreTraining":
        model = BertPretrainer(backbone)
    elif architecture == "BertForSequenceClassification":
        num_labels = len(config.get("id2label") or {}) or config.get("num_labels", 2)
        model = BertTextClassifier(
            backbone, num_labels, dropout=config.get("classifier_dropout")
        )
    else:
        model = backbone
    rows = huggingface_backbone(backbone.num_layers) + _HEADS[architecture]
    path = Path(directory) / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"Expected weights in {path}; the file is not there.")
    try:
        with safe_open(path, framework="np") as file:
            own, redundant = _named_as_with_head(file.keys(), architecture)
            report = assign(
                _variables(model),
                own,
                lambda name: file.get_tensor(own[name]),
                rows,
                redundant,
            )
    except SafetensorError as error:
        raise ValueError(
            f"Expected a whole safetensors file in {path}; {error}. Copy or download "
            "it again."
        ) from None
    return model, report


def _named_as_with_head(names, architecture):
    """Names with the `bert.` prefix -> names in the file, and what may be left over."""
    prefixes = ("bert.", "cls.", "classifier.")
    own = {n if n.startswith(prefixes) else f"bert.{n}": n for n in names}
    redundant = dict(HUGGINGFACE_REDUNDANT)
    wanted = {name for row in _HEADS[architecture] for name in row.theirs}
    for name in own:
        if not name.startswith("bert.") and name not in wanted:
            redundant.setdefault(name, "of a head that was not asked for")
    return own, redundant


def _architecture(model):
    for kind, architecture in (
        (BertBackbone, "BertModel"),
        (BertPretrainer, "BertForPreTraining"),
        (BertTextClassifier, "BertForSequenceClassification"),
    ):
        if isinstance(model, kind):
            return architecture
    raise ValueError(
        "Expected a BertBackbone, BertPretrainer or BertTextClassifier; got "
        f"{type(model).__name__}."
    )


def _variables(model):
    backbone = getattr(model, "backbone", model)
    layers = [backbone.embeddings, *backbone.blocks, backbone.pooler]
    for head in ("masked_lm_head", "next_sentence_head", "classifier"):
        if hasattr(model, head):
            layers.append(getattr(model, head))
    return weights_by_path(layers)
