"""One device or several, by name."""

import contextlib
import functools

import keras


def strategy_scope(strategy: str = "none"):
    """The context in which a model is built and compiled.

    Args:
        strategy: "none" for one device; "mirrored" for
            `tf.distribute.MirroredStrategy` on all GPUs of this machine, or, without
            GPUs, on its logical CPU devices. The batch size stays the global one.

    Raises:
        ValueError: another name, or "mirrored" on a backend other than TensorFlow.
    """
    if strategy == "none":
        return contextlib.nullcontext()
    if strategy != "mirrored":
        raise ValueError(f"strategy must be none or mirrored; got {strategy!r}.")
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "strategy mirrored needs Keras' TensorFlow backend; the backend is "
            f"{keras.config.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    return _mirrored().scope()


@functools.cache
def _mirrored():
    """One for the process: a second one would number its collectives from the same
    start, and TensorFlow takes those of another model for a mistake."""
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([d.name for d in devices])
