"""Are the weights whole, trained, and those of the settings? For `kbert doctor`.

Each check takes a `Case` and gives its findings; none means that all is well.
"""

import re
from collections.abc import Iterator

import numpy as np

from kbert.checkpoints.codes import are_codes
from kbert.checkpoints.encoder_names import architecture_of
from kbert.checkpoints.weight_maps import (
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_CONFIG_FIELDS,
    HUGGINGFACE_REDUNDANT,
    huggingface_backbone,
)
from kbert.config import BertConfig
from kbert.diagnosis.case import POSITIONS, SEGMENTS, WORDS, Case, Finding, counted
from kbert.diagnosis.embedding_checks import looks_fresh

_BLOCK = re.compile(r"bert\.encoder\.layer\.(\d+)\.")
_DECODER = (
    ("cls.predictions.decoder.weight", WORDS),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)
_SHOWN = 5


def settings(case: Case) -> Iterator[Finding]:
    """Settings that kbert can compute, and tensors of the sizes they say."""
    config = case.config
    if architecture_of(str(config.get("model_type") or "bert")):
        yield Finding(
            "error",
            f'config.json says "model_type": "{config["model_type"]}"; other models '
            "name and add up their parts in other ways.",
            "Take a BERT.",
        )
    if config.get("hidden_act", "gelu") not in HUGGINGFACE_ACTIVATIONS:
        yield Finding(
            "error",
            f"config.json says hidden_act {config['hidden_act']!r}, which is none of "
            f"{', '.join(HUGGINGFACE_ACTIVATIONS)}.",
            "Set the activation that the model was trained with.",
        )
    sizes = {o: config[t] for t, o in HUGGINGFACE_CONFIG_FIELDS.items() if t in config}
    try:
        sizes = BertConfig(**sizes)
    except (ValueError, TypeError) as error:
        yield Finding("error", f"config.json: {error}", "Correct it there.")
        return
    if case.tensors is None:
        return
    found = {int(m[1]) for name in case.tensors if (m := _BLOCK.match(name))}
    if found != set(range(sizes.num_layers)):
        yield Finding(
            "error",
            f"config.json says num_hidden_layers {sizes.num_layers}; the weights have "
            f"{counted(len(found), 'block')}.",
            f'Set "num_hidden_layers": {len(found)} in config.json, if the weights are '
            "right.",
        )
        return
    missing = [
        name
        for row in huggingface_backbone(sizes.num_layers)
        for name in row.theirs
        if name not in case.tensors and ".pooler." not in name
    ]
    if missing:
        yield Finding(
            "error",
            f"{counted(len(missing), 'tensor')} of the model missing: "
            f"{', '.join(missing[:_SHOWN])}.",
            "Copy or download the weights again, whole.",
        )
    dim, wide = sizes.hidden_dim, sizes.intermediate_dim
    shapes = {
        WORDS: (None, dim),
        POSITIONS: (None, dim),
        SEGMENTS: (sizes.num_segments, dim),
        "bert.encoder.layer.0.intermediate.dense.weight": (wide, dim),
    }
    for name, shape in shapes.items():
        if name not in case.tensors:
            continue
        there = case.tensors[name].shape
        expected = tuple(t if s is None else s for s, t in zip(shape, there))
        if there != expected:
            yield Finding(
                "error",
                f"{name} has the shape {list(there)}; by config.json (hidden_size, "
                f"intermediate_size, type_vocab_size) it is {list(expected)}.",
                "Take config.json and weights of one model.",
            )


def gelu(case: Case) -> Iterator[Finding]:
    """Google's "gelu" is the tanh form; Hugging Face's is the erf form."""
    google = case.google_config or {}
    if case.config.get("hidden_act", "gelu") == google.get("hidden_act") == "gelu":
        yield Finding(
            "warning",
            "bert_config.json is Google's, and \"gelu\" in Google's code is the tanh "
            'form; in config.json "gelu" is the erf form. They differ by up to 4.7e-4 '
            "in every block.",
            'Set "hidden_act": "gelu_new" in config.json, if the weights were trained '
            "with Google's code; or delete bert_config.json.",
        )


def epsilon(case: Case) -> Iterator[Finding]:
    """BERT's layer norms add 1e-12; other families 1e-5."""
    said = case.config.get("layer_norm_eps", 1e-12)
    if said == 1e-12:
        return
    others = (
        case.config.get("layer_norm_epsilon"),
        (case.google_config or {}).get("layer_norm_eps"),
    )
    is_said_twice = said in others
    yield Finding(
        "note" if is_said_twice else "warning",
        f"config.json says layer_norm_eps {said}; Google's BERT and nearly all after "
        "it were trained with 1e-12.",
        "Nothing; it is said twice."
        if is_said_twice
        else 'Set "layer_norm_eps": 1e-12 in config.json, unless you know that the '
        f"model was trained with {said}.",
    )


def decoder(case: Case) -> Iterator[Finding]:
    """The masked language model projects with the token embedding itself."""
    for name, tied_to in _DECODER:
        if name not in case.tensors or tied_to not in case.tensors:
            continue
        one, other = case.tensors[name], case.tensors[tied_to]
        if np.array_equal(one, other):
            continue
        apart = "another shape"
        if one.shape == other.shape:
            apart = f"up to {np.nanmax(np.abs(one - other)):.3g} apart"
        yield Finding(
            "error",
            f"{name} differs from {tied_to} ({apart}), to which kbert ties it: the "
            "decoder of its own is not read, and filled masks are wrong.",
            "Export the model tied, or use its backbone alone; drop the tensor if the "
            "embedding is the one that was trained.",
        )


def numbers(case: Case) -> Iterator[Finding]:
    """Every number finite, and no kernel of nothing but zeros."""
    broken, empty = [], []
    for name in case.tensors:
        array = case.tensors[name]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = array.size - int(np.isfinite(array).sum())
            broken.append(f"{name} ({bad:,} of {array.size:,})")
        elif array.ndim > 1 and array.dtype.kind == "f" and not array.any():
            empty.append(name)
    if broken:
        yield Finding(
            "error",
            f"NaN or Inf in {counted(len(broken), 'tensor')}: "
            f"{', '.join(broken[:_SHOWN])}. All that is computed from them is NaN.",
            "Go back to a checkpoint of before; train on with a smaller learning rate, "
            "or in bfloat16 in place of float16.",
        )
    if empty:
        yield Finding(
            "error",
            f"Nothing but zeros in {counted(len(empty), 'tensor')}: "
            f"{', '.join(empty[:_SHOWN])}.",
            "Convert or download the weights again.",
        )


def codes(case: Case) -> Iterator[Finding]:
    """No whole numbers for weights: what is left of a quantized model without scales.

    Keras' `model.quantize` puts codes from -127 to 127 in the place of the weights.
    """
    found = []
    for name in case.tensors:
        if name in HUGGINGFACE_REDUNDANT or not name.endswith((".weight", ".bias")):
            continue
        array = case.tensors[name]
        is_integer = array.dtype.kind in "iub" and array.ndim > 0
        if is_integer or (array.dtype.kind == "f" and are_codes(array)):
            found.append(f"{name} ({array.dtype}, {array.min()} to {array.max()})")
    if found:
        yield Finding(
            "error",
            f"Nothing but whole numbers in {counted(len(found), 'tensor')}: "
            f"{', '.join(found[:_SHOWN])}. They are codes of a quantized model, whose "
            "scales are not used: all that is computed from them is wrong.",
            "Take the model before it was quantized.",
        )


def trained_layers(case: Case) -> Iterator[Finding]:
    """Layers whose norms are all 1 and biases all 0, as a new model has them."""
    tensors = case.tensors
    found = sorted({int(m[1]) for name in tensors if (m := _BLOCK.match(name))})
    fresh = []
    for i in found:
        part = f"bert.encoder.layer.{i}"
        gamma = tensors.get(f"{part}.output.LayerNorm.weight")
        bias = tensors.get(f"{part}.attention.output.dense.bias")
        if gamma is None or bias is None:
            continue
        if (gamma == 1).all() and not bias.any():
            fresh.append(i)
    if fresh:
        which = "All blocks are" if fresh == found else f"The blocks {fresh} are"
        yield Finding(
            "error",
            f"{which} as a new model has them (norms all 1, biases all 0): never "
            "trained, or not filled when the model was converted.",
            "Convert the weights again, or train the model.",
        )
        return
    kernel, bias = (tensors.get(f"bert.pooler.dense.{x}") for x in ("weight", "bias"))
    stddev = case.config.get("initializer_range", 0.02)
    if kernel is None or bias is None or bias.any():
        return
    if looks_fresh(kernel.reshape(1, -1), stddev)[0]:
        yield Finding(
            "warning",
            "The pooler is as a new model has it (random, biases all 0): the model was "
            "trained without next sentences, or converted without its pooler. "
            "pooled_output means nothing before fine-tuning.",
            "Fine-tune it; for vectors of texts, average sequence_output.",
        )
