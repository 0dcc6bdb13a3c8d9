"""LAMB against the formula of its paper, in NumPy."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.text_classifier import BertTextClassifier
from kbert.training.optimizers import OPTIMIZERS, Lamb, adamw, lamb
from kbert.training.schedules import WarmupLinearDecay


def array(x):
    return np.array(keras.ops.convert_to_numpy(x))


def kernel_and_bias():
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    for i, variable in enumerate(layer.trainable_variables):
        variable.assign(np.random.default_rng(i).normal(size=variable.shape))
    return layer.trainable_variables


@pytest.mark.parametrize("corrected", [False, True])
def test_equals_the_formula(corrected):
    """Algorithm 2 of You et al. (2020), with phi the identity, in float64."""
    own = kernel_and_bias()
    optimizer = Lamb(0.05, weight_decay=0.3, bias_correction=corrected, clip_norm=None)
    weights = [array(v).astype("float64") for v in own]
    m, v = ([np.zeros(w.shape) for w in weights] for _ in "mv")
    rng = np.random.default_rng(7)
    for step in range(1, 6):
        grads = [rng.normal(size=w.shape).astype("float32") for w in weights]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], own)
        for i, g in enumerate(grads):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            mean, square = m[i], v[i]
            if corrected:
                mean, square = mean / (1 - 0.9**step), square / (1 - 0.999**step)
            update = mean / (np.sqrt(square) + 1e-6)
            ratio = 1.0
            if i == 0:  # the kernel; a bias has neither decay nor trust ratio
                update = update + 0.3 * weights[i]
                ratio = np.linalg.norm(weights[i]) / np.linalg.norm(update)
            weights[i] = weights[i] - 0.05 * ratio * update
    for variable, expected in zip(own, weights, strict=True):
        np.testing.assert_allclose(array(variable), expected, atol=1e-5)


def test_a_step_is_as_long_as_the_rate_says():
    kernel, _ = own = kernel_and_bias()
    before = array(kernel)
    Lamb(0.125).apply([keras.ops.ones(v.shape) for v in own], own)
    moved = np.linalg.norm(array(kernel) - before) / np.linalg.norm(before)
    assert moved == pytest.approx(0.125, rel=1e-5)


def test_a_weight_of_zeros_has_the_ratio_1():
    kernel, _ = own = kernel_and_bias()
    kernel.assign(np.zeros(kernel.shape))
    Lamb(0.125, clip_norm=None).apply([keras.ops.ones(v.shape) for v in own], own)
    np.testing.assert_allclose(array(kernel), -0.125, rtol=1e-4)


def test_layer_decay_and_clipping_are_those_of_adamw():
    backbone = BertBackbone(7, 2, 1, 4, 6, max_sequence_length=5)
    own = BertTextClassifier(backbone, 2).trainable_variables
    before = {v.path: array(v) for v in own}
    optimizer = Lamb(0.5, weight_decay=0.0, layer_decay=0.5, clip_norm=1e-3)
    optimizer.apply([keras.ops.ones(v.shape) for v in own], own)
    for part, factor in (("classifier", 0.5), ("encoder_block_0", 0.125)):
        (path,) = [p for p in before if p.startswith(part) and "kernel" in p][:1]
        (after,) = [array(v) for v in own if v.path == path]
        moved = np.linalg.norm(after - before[path]) / np.linalg.norm(before[path])
        assert moved == pytest.approx(factor, rel=1e-4)
    # 1 - beta_1 of a gradient whose norm was clipped to 0.001
    count = sum(np.prod(v.shape) for v in own)
    first = array(optimizer._momentums[0]).ravel()[0]
    assert first == pytest.approx(0.1 * 1e-3 / count**0.5, rel=1e-4)


def test_config_round_trip():
    arguments = {
        "learning_rate": 0.5,
        "weight_decay": 0.2,
        "beta_1": 0.8,
        "beta_2": 0.9,
        "epsilon": 1e-3,
        "bias_correction": False,
        "clip_norm": 2.0,
        "layer_decay": 0.7,
    }
    optimizer = Lamb(**arguments)
    serialized = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is Lamb and again.name == "lamb"
    assert again.get_config() == optimizer.get_config()
    config = again.get_config()
    assert {k: config[k] for k in arguments} == pytest.approx(arguments)


def test_by_name_and_with_a_schedule():
    assert {"adamw": adamw, "lamb": lamb} == OPTIMIZERS
    optimizer = lamb(0.1, total_steps=50, warmup_share=0.2)
    assert isinstance(optimizer._learning_rate, WarmupLinearDecay)
    assert optimizer._learning_rate.warmup_steps == 10
    assert optimizer.bias_correction
    assert not lamb(1.0, bias_correction=False).bias_correction
    assert float(lamb(0.1).learning_rate) == pytest.approx(0.1)
