"""Whole numbers in a file where weights should be; no framework is imported."""

import numpy as np


def are_codes(value: np.ndarray) -> bool:
    """Whether a table or kernel holds a quantized layer's codes: whole numbers alone.

    Not those of -1, 0 and 1 alone, as an identity has.

    >>> are_codes(np.array([[-127.0, 3.0]])), are_codes(np.array([[0.5, 3.0]]))
    (True, False)
    """
    if value.ndim < 2 or not value.size:
        return False
    for part in (value.reshape(-1)[:256], value):  # weights differ at once
        if not (part == np.rint(part)).all():
            return False
    return bool(np.abs(value).max() > 1)
