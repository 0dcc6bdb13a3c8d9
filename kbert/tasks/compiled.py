"""A model as one compiled function of batches of any shape, on whichever backend."""

import bisect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kbert.features import BACKBONE_INPUTS
from kbert.models.backbone import backbone_of

# Lengths that batches are filled up to where each shape is compiled anew: powers of 2,
# and what lies halfway.
_LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def traced(model) -> Callable[[dict], Any]:
    """The model as one function for all lengths; on TensorFlow it is traced once.

    That function is kept with the model, and made anew when the model has other
    variables than it was made with: an adapter more, or weights that were quantised.
    On other backends it is Keras' own `predict_on_batch`; JAX compiles it once for
    each shape, so that batches are filled up to a few shapes.

    Args:
        model: a Keras model; or, on TensorFlow, a function of the backbone's inputs,
            called alike.

    Returns: dict of arrays (B, L) or, with several rows to an example, (B, C, L) ->
        the outputs, which NumPy can read.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _traced(model)
    return _in_few_shapes(model) if backend == "jax" else model.predict_on_batch


def _traced(model):
    import tensorflow as tf

    key = tuple(map(id, getattr(model, "variables", ())))
    kept = vars(model).get("_traced")
    if kept is None or kept[0] != key:
        inputs = getattr(model, "input", None)
        if not isinstance(inputs, dict):
            inputs = {
                f.name: keras.Input(f.shape, dtype=f.dtype) for f in BACKBONE_INPUTS
            }
        spec = {
            name: tf.TensorSpec((None,) * len(x.shape), x.dtype)
            for name, x in inputs.items()
        }

        def call(inputs):
            return model(inputs, training=False)

        kept = key, tf.function(call, input_signature=[spec])
        object.__setattr__(model, "_traced", kept)  # past Keras' tracking
    return kept[1]


def _in_few_shapes(model):
    longest = backbone_of(model).max_sequence_length
    # Of outputs for each token the second axis is open, as that of (B, L, …) inputs.
    is_per_token = keras.tree.map_structure(
        lambda x: len(x.shape) > 1 and x.shape[1] is None, model.output
    )

    def call(inputs):
        shape = inputs["token_ids"].shape
        filled = filled_shape(shape, longest)
        widths = [(0, new - old) for old, new in zip(shape, filled, strict=True)]
        outputs = model.predict_on_batch(
            {name: np.pad(array, widths) for name, array in inputs.items()}
        )
        rows, length = shape[0], shape[1] if len(shape) == 2 else None
        return keras.tree.map_structure(
            lambda x, has_length: x[:rows, :length] if has_length else x[:rows],
            outputs,
            is_per_token,
        )

    return call


def filled_shape(shape: tuple[int, ...], longest: int) -> tuple[int, ...]:
    """The shape that a batch is filled up to: few of them, a third larger on average.

    >>> filled_shape((5, 40), longest=512), filled_shape((5, 40), longest=40)
    ((8, 48), (8, 40))

    Args:
        shape: (B, L) or (B, C, L).
        longest: most tokens that the model takes.
    """
    rows, *choices, length = shape
    place = bisect.bisect_left(_LENGTHS, length)
    length = _LENGTHS[place] if place < len(_LENGTHS) else longest
    return (1 << (rows - 1).bit_length(), *choices, min(length, longest))
