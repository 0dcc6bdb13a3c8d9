"""What new kernels and embeddings start from."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_FILLED_LATER = contextvars.ContextVar("filled_later", default=False)


def kernel_initializer(stddev):
    """A truncated normal of mean 0, as in google-research/bert; no draw is beyond 2 σ.

    Within `filled_later()`, zeros.
    """
    if _FILLED_LATER.get():
        return keras.initializers.Zeros()
    return keras.initializers.TruncatedNormal(stddev=stddev)


@contextlib.contextmanager
def filled_later() -> Iterator[None]:
    """Models made in this block, and in this thread, are not drawn at random.

    For whoever fills every weight from a file right after: drawing the 110M numbers of
    BERT base takes longer than reading them.
    """
    token = _FILLED_LATER.set(True)
    try:
        yield
    finally:
        _FILLED_LATER.reset(token)
