"""KerasHub's preset directories, read without KerasHub.

    config.json            a `BertBackbone`: sizes and dropout
    model.weights.h5       its weights
    task.json              a `BertTextClassifier` or `BertMaskedLM` on it, if any
    task.weights.h5        the weights of that head
    tokenizer.json         how text is normalised; also inside preprocessor.json
    assets/tokenizer/vocabulary.txt

What the files do not say is fixed in KerasHub's code: in the backbone the tanh form of
GELU, epsilon 1e-12, and one dropout for hidden values and attention. Outputs are equal
to KerasHub's own, but for one: its masked language model head has the erf form and
epsilon 1e-5, where a `BertPretrainer` takes the backbone's. Logits then differ by up to
8e-4, probabilities by up to 4e-5 (random weights, 2 to 12 layers, V=50 to 30522).
"""

import json
import warnings
from pathlib import Path

import h5py
import numpy as np

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.weight_maps import (
    KERASHUB_HEADS,
    KERASHUB_MODEL,
    KERASHUB_TASK,
    kerashub_backbone,
)
from kbert.config import BertConfig
from kbert.disk.json_object import json_object
from kbert.registry import HEADS, KINDS

CONFIG, TASK = "config.json", "task.json"
SHARDS = "model.weights.json"
FORMAT = "KerasHub preset"

_PACKAGES = ("keras_hub", "keras_nlp")
_BACKBONE = "BertBackbone"
# Fields of `BertBackbone` in config.json; ours have the same names.
SIZES = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim")
SIZES += ("intermediate_dim", "max_sequence_length", "num_segments", "dropout")
# What KerasHub's code fixes, and no file says.
FIXED = {
    "activation": "gelu_tanh",
    "layer_norm_epsilon": 1e-12,
    "initializer_range": 0.02,
}


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path is a KerasHub preset directory of a BERT."""
    try:
        stored = json.loads(Path(path, CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return _class_name(stored) == _BACKBONE


def read_checkpoint(path: str | Path) -> Checkpoint:
    """A preset's sizes, head and tensors; nothing is read but names until asked.

    Tensors of attention, (D, H, D/H) and (H, D/H, D) there, are given as (D, D)
    kernels; bfloat16 as float32. Of a task other than classification and masked
    language model, `head` is KerasHub's name, and the backbone can be built.

    Raises:
        FileNotFoundError: no config or no weights.
        ValueError: a damaged file, weights in several files or quantised, or another
            architecture than BERT.

    Warns where a classifier ends with an activation, as softmax: kbert's gives logits.
    """
    directory = Path(path)
    config = _bert_config(directory)
    head, arguments = _head(directory)
    places = tensors_in(directory, KERASHUB_MODEL)
    if (directory / KERASHUB_TASK).is_file():
        places |= tensors_in(directory, KERASHUB_TASK)
    backbone = kerashub_backbone(config.num_layers)
    return Checkpoint(
        format=FORMAT,
        path=directory,
        config=config,
        head=head,
        head_arguments=arguments,
        names=tuple(places),
        read=lambda name: _read(*places[name]),
        rows={name: backbone + rows for name, rows in KERASHUB_HEADS.items()},
        ignored=lambda name: why_ignored(name, knows_head=head in HEADS),
        in_backbone=lambda name: name.startswith(f"{KERASHUB_MODEL}/"),
    )


def _class_name(stored) -> str | None:
    """`BertBackbone` of "keras_hub>BertBackbone"; None for what is no such object."""
    name = stored.get("registered_name") if isinstance(stored, dict) else None
    package, _, kind = name.partition(">") if isinstance(name, str) else ("", "", "")
    return kind if package in _PACKAGES else None


def _bert_config(directory: Path) -> BertConfig:
    path = directory / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a KerasHub preset with {CONFIG}; {path} does not exist."
        )
    stored = json_object(path)
    if _class_name(stored) != _BACKBONE:
        raise ValueError(
            f'Expected "registered_name" "keras_hub>{_BACKBONE}" in {path}; it says '
            f"{json.dumps(stored.get('registered_name'))}: another architecture."
        )
    fields = stored.get("config") or {}
    if _is_quantised(fields.get("dtype")):
        raise ValueError(
            f"Expected float weights in {directory}; they are quantised. Take the "
            "preset that they were made of."
        )
    missing = [name for name in SIZES[:5] if name not in fields]
    if missing:
        raise ValueError(
            f"Expected {', '.join(missing)} in {path}; they are not there. The file is "
            "incomplete: copy or download it again."
        )
    fields = {name: fields[name] for name in SIZES if name in fields}
    dropout = fields.get("dropout", 0.1)
    return BertConfig(**fields, attention_dropout=dropout, **FIXED)


def _is_quantised(dtype) -> bool:
    return isinstance(dtype, dict) and "Quantized" in json.dumps(dtype)


def _head(directory: Path) -> tuple[str, dict]:
    """The model that task.json is of, and the arguments of its head."""
    if not (directory / TASK).is_file():
        return "backbone", {}
    stored = json_object(directory / TASK)
    kind = _class_name(stored) or str(stored.get("registered_name"))
    head = next((k.head for k in KINDS.values() if kind in k.kerashub_classes), kind)
    if head not in KINDS or not KINDS[head].has_classes:
        return head, {}
    fields = stored.get("config") or {}
    if "num_classes" not in fields:
        raise ValueError(f"Expected num_classes in {directory / TASK}; it has none.")
    activation = fields.get("activation") or "linear"
    if activation != "linear":
        warnings.warn(
            f"{directory}: the classifier ends with {activation!r} in KerasHub; "
            "kbert's gives the logits before it.",
            stacklevel=3,
        )
    dropout = fields.get("dropout", 0.1)
    return head, {"num_classes": fields["num_classes"], "dropout": dropout}


def tensors_in(directory: Path, file: str) -> dict:
    """Name -> (path of the file, path in it), of every tensor that lies in a file.

    Links to other files are not followed.
    """
    path = directory / file
    if not path.is_file():
        if (directory / SHARDS).is_file():
            raise ValueError(
                f"Expected all weights in {path}; {SHARDS} spreads them over several "
                "files. Load the preset in KerasHub and save it with "
                "save_to_preset(directory, max_shard_size=None)."
            )
        raise FileNotFoundError(f"Expected weights in {path}; the file is not there.")
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            # What Keras before 2.14 called it.
            ours = name.replace("_layer_checkpoint_dependencies/", "layers/", 1)
            found[f"{file}/{ours}"] = (path, name)

    with opened_file(path) as opened:
        opened.visititems(visit)
    return found


def opened_file(path: Path, mode: str = "r") -> h5py.File:
    try:
        return h5py.File(path, mode)
    except OSError as error:
        raise ValueError(
            f"Expected a whole HDF5 file in {path}; {error}. Copy or download it again."
        ) from None


def _read(path: Path, name: str) -> np.ndarray:
    with opened_file(path) as opened:
        dataset = opened[name]
        if dataset.external or dataset.is_virtual:
            raise ValueError(
                f"Expected the tensor {name} in {path} itself; it lies in another file."
            )
        if dataset.attrs.get("dtype") == "bfloat16":
            import ml_dtypes

            value = np.array(dataset, dtype=ml_dtypes.bfloat16).astype("float32")
        else:
            value = dataset[()]
    if "/_self_attention_layer/" not in name:
        return value
    if value.ndim == 3 and "/output_dense/" in name:
        return value.reshape(-1, value.shape[-1])  # (H, D/H, D) -> (D, D)
    if value.ndim == 3:
        return value.reshape(value.shape[0], -1)  # (D, H, D/H) -> (D, D)
    return value.reshape(-1)  # (H, D/H) -> (D,)


def why_ignored(name: str, knows_head: bool = True) -> str | None:
    """Why a tensor that no row uses may be left over; None if it may not."""
    inside = f"/{name.partition('/')[2]}"
    if inside.startswith("/optimizer/"):
        return "of the optimizer"
    if "/seed_generator/" in inside:
        return "the state of a dropout's random numbers"
    if not knows_head and name.startswith(f"{KERASHUB_TASK}/"):
        return "of a head that kbert has no model for"
    return None
