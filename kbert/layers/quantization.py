"""Layers whose weights are whole numbers and scales, after `model.quantize`.

Keras puts codes in the place of the numbers: `kernel` and `embeddings` of a quantized
layer are from -127 to 127, and only the layer itself knows what they stand for. Who
needs its numbers asks here. A layer made of others keeps in its config, under
"quantized", which of its parts are quantized and how, so that `.keras` files load.
"""

import contextlib
import gc
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

QUANTIZED = "quantized"
# Cosine of the outputs to the float model: classifiers of 2 and 4 layers, new weights,
# seeds 0 to 2; with int8 0.9998 and above. KerasHub's beside them: int4 0.961 to 0.997,
# float8 0.995 to 0.9997, int8 0.9998 and above.
_UNCHECKED = "; keras.Model.quantize(model, {0!r}) does it all the same"
_NO_MASK = (
    "Keras calibrates it with blocks that take one tensor, and BERT's take a mask"
)
_REFUSED = {
    "int4": f"16 levels a weight give 0.89 to 0.996{_UNCHECKED}",
    "float8": "a format for training, whose scales are not found yet, gives 0.993 to "
    f"0.9998{_UNCHECKED}",
    "gptq": _NO_MASK,
    "awq": _NO_MASK,
}


def quantize_model(model, quantize, mode=None, config=None, **kwargs) -> None:
    """`quantize` of every model of kbert: Keras' own, if the answers stay the same.

    Args:
        model: one of kbert's.
        quantize: that of the class above.
        mode: "int8", or another of Keras' names; None takes that of `config`.
        config: a `keras.quantizers` config, or None.
        **kwargs: Keras' own, as `filters`.

    Raises:
        ValueError: a mode that does not keep a cosine of 0.999 to the float model, or
            a model that is quantized already; nothing was changed.
    """
    mode = getattr(config, "mode", mode)
    backbone = getattr(model, "backbone", model)
    if mode in _REFUSED:
        raise ValueError(
            "Expected the mode int8, whose outputs have a cosine of 0.999 and more to "
            f"those of the float model; got {mode}: {_REFUSED[mode].format(mode)}."
        )
    if is_quantized(model) or is_quantized(backbone):
        raise ValueError(
            "Expected a model whose weights are floating-point numbers; this one is "
            "quantized already. kbert.save it and load that, or take the first one."
        )
    with _old_objects_aside():
        quantize(mode, **kwargs if config is None else kwargs | {"config": config})
    if backbone.has_lora and getattr(model, "optimizer", None) is not None:
        # A file holds no adapters, and what the optimizer knew of them has no place.
        optimizer = model.optimizer
        model.optimizer = type(optimizer).from_config(optimizer.get_config())


def first_rows(table, count):
    """The first rows of an embedding, (count, D), as numbers in its compute dtype.

    Args:
        table: a `keras.layers.Embedding`, built.
        count: how many; an integer or a scalar tensor.
    """
    if table.quantization_mode is None:
        return ops.cast(table.embeddings[:count], table.compute_dtype)
    return table(ops.arange(count, dtype="int32"))


def float_weight(layer) -> np.ndarray:
    """The kernel of a dense layer, or the rows of an embedding, as float32 numbers.

    Of a quantized layer, what its codes stand for; an adapter of LoRA is added.

    Args:
        layer: a `keras.layers.Dense` or `keras.layers.Embedding`, built.

    Raises:
        ValueError: codes that are not dequantized here, as GPTQ's.
    """
    is_dense = isinstance(layer, keras.layers.Dense)
    name, axis = ("kernel", 0) if is_dense else ("embeddings", -1)
    adapter = 0.0
    if layer.lora_enabled:
        a, b = (getattr(layer, f"lora_{name}_{part}") for part in "ab")
        adapter = _numpy(a) @ _numpy(b) * (layer.lora_alpha / layer.lora_rank)
    value = getattr(layer, f"_{name}", None)
    mode = layer.quantization_mode
    if mode in (None, "float8"):
        return _numpy(value) + adapter
    # Keras before 3.14 packs int4 otherwise.
    if mode != "int8" and (mode != "int4" or not hasattr(layer, "_int4_block_size")):
        raise ValueError(
            "Expected weights that are floating-point numbers, int8, or int4 as Keras "
            f"packs it since 3.14; those of {layer.path} are {mode}. Take the model "
            "before it was quantized."
        )
    if mode == "int4":
        length = layer._orig_output_dim  # two codes share a byte
        value = keras.quantizers.unpack_int4(ops.convert_to_tensor(value), length, -1)
    codes, scale = _numpy(value), _numpy(getattr(layer, f"{name}_scale"))
    if not hasattr(layer, f"{name}_zero"):
        return codes / np.expand_dims(scale, axis) + adapter
    groups = _numpy(layer.g_idx).astype("int32")
    zero = np.take(_numpy(getattr(layer, f"{name}_zero")), groups, axis)
    return (codes - zero) * np.take(scale, groups, axis) + adapter


def is_quantized(layer) -> bool:
    """Whether a layer, or any that it is made of, has codes for weights."""
    return any(part.quantization_mode for part in parts_of(layer).values())


def parts_of(layer) -> dict:
    """The layers that a layer or model is made of, by their place: "attention.norm".

    The place is that of public attributes; "blocks.0" in a list. A model's `backbone`
    is left out: it has a config of its own.
    """
    return dict(_walked(layer, ""))


def _walked(layer, prefix) -> Iterator:
    inner = {}
    for name, value in vars(layer).items():
        if name.startswith("_") or name == "backbone":
            continue
        if isinstance(value, list | tuple):
            inner |= {f"{name}.{i}": item for i, item in enumerate(value)}
        else:
            inner[name] = value
    inner = {n: v for n, v in inner.items() if isinstance(v, keras.layers.Layer)}
    for name, part in inner.items():
        yield f"{prefix}{name}", part
        yield from _walked(part, f"{prefix}{name}.")


def quantized_config(layer) -> dict:
    """What a layer or model adds to its config: nothing, unless a part is quantized."""
    quantized = {
        place: {
            "mode": part.quantization_mode,
            # Keras before 3.13 has none.
            "config": keras.saving.serialize_keras_object(
                getattr(part, "quantization_config", None)
            ),
        }
        for place, part in parts_of(layer).items()
        if part.quantization_mode
    }
    return {QUANTIZED: quantized} if quantized else {}


def from_quantized_config(cls, config):
    """`from_config` of a layer that has `quantized_config` in its config."""
    config = dict(config)
    quantized = config.pop(QUANTIZED, None)
    layer = cls(**config)
    layer._quantized_before = quantized
    return layer


def quantize_as_before(layer) -> None:
    """Ends the `build` of such a layer: parts become what its config says they were."""
    quantize_parts(layer, getattr(layer, "_quantized_before", None))


def quantize_parts(layer, quantized: dict | None) -> None:
    """Quantizes the parts that `quantized_config` names; their weights come after.

    Args:
        layer: a layer or model whose parts are built.
        quantized: place -> mode and serialized `keras.quantizers` config; None for no
            parts.
    """
    if not quantized:
        return
    parts = parts_of(layer)
    with _old_objects_aside():
        for place, how in quantized.items():
            if parts[place].quantization_mode is None:  # not shared, and done already
                config = keras.saving.deserialize_keras_object(how["config"])
                given = {} if config is None else {"config": config}
                parts[place].quantize(how["mode"], **given)


def model_from_config(cls, config):
    """`from_config` of a model: its backbone first, then what is quantized.

    Args:
        cls: the model's class.
        config: from its `get_config`; with "backbone" if it has a head.
    """
    config = dict(config)
    quantized = config.pop(QUANTIZED, None)
    if "backbone" in config:
        config["backbone"] = keras.saving.deserialize_keras_object(config["backbone"])
    model = cls(**config)
    quantize_parts(model, quantized)
    return model


@contextlib.contextmanager
def _old_objects_aside() -> Iterator[None]:
    """Keras collects garbage for each kernel that it deletes: of new objects alone.

    Looking through all that TensorFlow has made takes 0.1 to 0.3 s each time.
    """
    is_ours = not gc.get_freeze_count()
    if is_ours:
        gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            gc.unfreeze()


def _numpy(value) -> np.ndarray:
    return ops.convert_to_numpy(value).astype("float32")
