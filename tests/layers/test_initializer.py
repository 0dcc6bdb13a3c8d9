"""New kernels: the paper's distribution, or zeros for those that a file fills."""

import threading

import keras
import numpy as np

from kbert.layers.initializer import filled_later, kernel_initializer


def drawn():
    return keras.ops.convert_to_numpy(kernel_initializer(0.02)((200, 50)))


def test_truncated_normal():
    values = drawn()
    assert abs(values.mean()) < 1e-3
    assert np.abs(values).max() <= 0.04 + 1e-7
    assert 0.016 < values.std() < 0.019  # 0.88 of a whole normal's


def test_zeros_within_the_block_and_this_thread_only():
    elsewhere = []
    with filled_later():
        assert not drawn().any()
        thread = threading.Thread(target=lambda: elsewhere.append(drawn()))
        thread.start()
        thread.join()
    assert elsewhere[0].any()
    assert drawn().any()
