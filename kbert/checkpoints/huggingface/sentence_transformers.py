"""How a sentence-transformers directory makes a text's vector: read, and written back.

    modules.json                          the modules in their order
    1_Pooling/config.json                 of the tokens' vectors, which and how
    2_Dense/config.json, model.safetensors   a projection
    3_Normalize/                          to the length 1
    sentence_bert_config.json             the length that texts are cut to
    config_sentence_transformers.json     prompts

Of the modules after the BERT these are read, and Dropout, which does nothing when a
model is used; others are refused by name.
"""

import json
from pathlib import Path

from kbert.checkpoints.huggingface.safetensors_file import SafetensorsFile
from kbert.checkpoints.sentence_modules import (
    LENGTH,
    MODULES,
    modules_of,
    transformer_settings,
)
from kbert.disk.json_object import json_object
from kbert.models.text_vectors import NORMALIZE, Projection, TextVectors
from kbert.signatures import POOLINGS

_PROMPTS = "config_sentence_transformers.json"
# The flags of 1_Pooling/config.json before version 6; several stand in this order.
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# Classes of PyTorch and what Keras calls them.
_ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.linear.Identity": "linear",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
}
_OURS = "sentence_transformers."
_LONGEST = 1_000_000  # above it a length is transformers' word for none


def read_text_vectors(directory: Path) -> TextVectors | None:
    """What a directory says of its vectors; None where it is none of theirs.

    Args:
        directory: the whole, or the folder of its BERT.

    Raises:
        ValueError: a damaged file, or a module that kbert does not compute.
    """
    root, modules = modules_of(directory)
    if not modules:
        return None
    names = [_class_name(module, root) for module in modules]
    if names[0] not in ("Transformer", "BERT") or "Pooling" not in names:
        raise ValueError(
            f"Expected a Transformer and a Pooling in {root / MODULES}; it names "
            f"{', '.join(names)}, which kbert does not compute."
        )
    poolings, steps, pools_prompt = (), [], True
    for name, module in zip(names[1:], modules[1:]):
        folder = root / module["path"]
        if name == "Pooling" and not poolings and not steps:
            poolings, pools_prompt = _pooling(folder)
        elif name == "Dense" and poolings:
            steps.append(_projection(folder))
        elif name == "Normalize" and poolings:
            steps.append(NORMALIZE)
        elif name != "Dropout":
            raise ValueError(
                f"Expected Pooling, then Dense and Normalize, in {root / MODULES}; it "
                f"names {', '.join(names)}, and kbert does not compute {name} there."
            )
    prompts = _object(root / _PROMPTS)
    named = {
        str(name): text
        for name, text in (prompts.get("prompts") or {}).items()
        if isinstance(text, str) and text
    }
    return TextVectors(
        poolings=poolings,
        steps=tuple(steps),
        sequence_length=_sequence_length(root / modules[0]["path"]),
        prompt=named.get(prompts.get("default_prompt_name"), ""),
        pools_prompt=pools_prompt,
        prompts=named,
    )


def write_text_vectors(
    vectors: TextVectors, directory: Path, hidden_dim: int, longest: int
) -> None:
    """Writes what `read_text_vectors` reads beside a model in a directory.

    Args:
        vectors: the settings.
        directory: where config.json and the weights are.
        hidden_dim: D, of the model.
        longest: its longest input, in tokens.
    """
    from safetensors.numpy import save_file

    _write(directory / "1_Pooling", _pooling_config(vectors, hidden_dim))
    names = ["Transformer", "Pooling"]
    for step in vectors.steps:
        names.append("Normalize" if step == NORMALIZE else "Dense")
        folder = directory / f"{len(names) - 1}_{names[-1]}"
        if step == NORMALIZE:
            _write(folder, {})
            continue
        theirs = {ours: name for name, ours in _ACTIVATIONS.items()}
        size = {"in_features": step.kernel.shape[0], "out_features": None}
        size["out_features"] = step.kernel.shape[1]
        activation = {"activation_function": theirs[step.activation]}
        _write(folder, size | {"bias": step.bias is not None} | activation)
        tensors = {"linear.weight": step.kernel.T.copy()}
        if step.bias is not None:
            tensors["linear.bias"] = step.bias
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    folders = ["", *(f"{i}_{name}" for i, name in enumerate(names) if i)]
    modules = [
        {"idx": i, "name": str(i), "path": folder, "type": f"{_OURS}models.{name}"}
        for i, (folder, name) in enumerate(zip(folders, names))
    ]
    _write_json(directory / MODULES, modules)
    length = vectors.sequence_length or longest
    _write_json(directory / LENGTH, {"max_seq_length": length, "do_lower_case": False})
    default = next((n for n, t in vectors.prompts.items() if t == vectors.prompt), None)
    prompts = {"prompts": dict(vectors.prompts), "default_prompt_name": default}
    _write_json(directory / _PROMPTS, prompts)


def _pooling_config(vectors, hidden_dim):
    in_order = [p for p in _POOLING_FLAGS.values() if p in vectors.poolings]
    config = {"word_embedding_dimension": hidden_dim}
    if in_order == list(vectors.poolings):  # as every version reads it
        flags = {n: p in vectors.poolings for n, p in _POOLING_FLAGS.items()}
        config |= flags
    else:
        config["pooling_mode"] = list(vectors.poolings)
    return config | {"include_prompt": vectors.pools_prompt}


def _class_name(module, root):
    """`Pooling` of "sentence_transformers.models.Pooling", old path or new."""
    kind = module["type"]
    if not kind.startswith(_OURS):
        raise ValueError(
            f"Expected modules of sentence-transformers in {root / MODULES}; {kind} is "
            "code of its own, which kbert does not run."
        )
    return kind.rpartition(".")[2]


def _pooling(folder):
    config = json_object(folder / "config.json")
    poolings = config.get("pooling_mode")
    if poolings is None:
        poolings = [p for flag, p in _POOLING_FLAGS.items() if config.get(flag)]
        poolings = poolings or ["mean"]
    if isinstance(poolings, str):
        poolings = [poolings]
    if not isinstance(poolings, list) or not all(p in POOLINGS for p in poolings):
        raise ValueError(
            f"Expected pooling by {', '.join(POOLINGS)} in {folder / 'config.json'}; "
            f"it says {poolings!r}."
        )
    return tuple(poolings), config.get("include_prompt", True) is not False


def _projection(folder):
    config = json_object(folder / "config.json")
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    plain = ("sentence_embedding", None)
    if (
        activation not in _ACTIVATIONS
        or config.get("use_residual")
        or config.get("module_input_name") not in plain
        or config.get("module_output_name") not in plain
    ):
        raise ValueError(
            f"Expected a plain Dense in {folder}, with one of the activations "
            f"{', '.join(_ACTIVATIONS)}; its config.json says {json.dumps(config)}."
        )
    file = folder / "model.safetensors"
    if file.is_file():
        tensors = SafetensorsFile(file)
    else:
        from kbert.checkpoints.huggingface.torch_file import read_torch_file

        tensors = read_torch_file(folder / "pytorch_model.bin")
    if "linear.weight" not in tensors:
        raise ValueError(f"Expected linear.weight among the weights in {folder}.")
    kernel = tensors["linear.weight"].astype("float32").T
    bias = None
    if "linear.bias" in tensors:
        bias = tensors["linear.bias"].astype("float32")
    return Projection(kernel, bias, _ACTIVATIONS[activation])


def _sequence_length(folder):
    length = transformer_settings(folder).get("max_seq_length")
    if length is None:
        length = _object(folder / "tokenizer_config.json").get("model_max_length")
    is_length = isinstance(length, int | float) and 2 < length < _LONGEST
    return int(length) if is_length else None


def _object(path):
    return json_object(path) if path.is_file() else {}


def _write(folder, config):
    folder.mkdir()
    _write_json(folder / "config.json", config)


def _write_json(path, content):
    text = json.dumps(content, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", "utf-8")
