"""Keras' own arguments and calls on our optimizers: what they do is what Keras' do."""

import keras
import numpy as np
import pytest
from test_optimizers import variables

from kbert.training.optimizers import AdamW, Lamb, adamw, lamb
from kbert.training.schedules import WarmupLinearDecay

# Keras does not correct the root to which it adds epsilon: a small one, for both.
SAME = {"learning_rate": 0.05, "weight_decay": 0.3, "epsilon": 1e-9}


def array(x):
    return np.array(keras.ops.convert_to_numpy(x))


def trained(optimizer, call, steps=4):
    """The variables by name, after some steps; `call` is given the optimizer first."""
    own = variables()
    call(optimizer, own)
    for step in range(steps):
        rng = np.random.default_rng([7, step])
        grads = [rng.normal(size=v.shape).astype("float32") for v in own]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], own)
    optimizer.finalize_variable_values(own)
    return {v.name: array(v) for v in own}


def excluding(**arguments):
    return lambda optimizer, own: optimizer.exclude_from_weight_decay(**arguments)


def setting(**attributes):
    def call(optimizer, own):
        optimizer.exclude_from_weight_decay()  # Keras decays everything
        for name, value in attributes.items():
            setattr(optimizer, name, value)

    return call


CASES = {
    "names": ({}, excluding(var_names=["kernel"])),
    "patterns": ({}, excluding(var_names=["bi.s", "gamma"])),
    "names of layers": ({}, excluding(var_names=["layer_normalization"])),
    "variables": ({}, lambda o, own: o.exclude_from_weight_decay(var_list=own[2:])),
    "nothing": ({}, excluding()),
    "decay 0": ({"weight_decay": 0.0}, excluding()),
    "decay later": ({}, setting(weight_decay=0.9)),
    "decay later none": ({}, setting(weight_decay=None)),
    "rate later": ({}, setting(learning_rate=0.2)),
    "schedule": (
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
        excluding(),
    ),
    "own schedule": ({"learning_rate": WarmupLinearDecay(0.1, 5, 2)}, excluding()),
    "function": ({"learning_rate": lambda: 0.02}, excluding()),
    "clipnorm": ({"clipnorm": 0.5}, excluding()),
    "clipvalue": ({"clipvalue": 0.5}, excluding()),
    "global_clipnorm": ({"global_clipnorm": 0.5}, excluding()),
    "clipping later": ({}, setting(global_clipnorm=0.5)),
    "ema": ({"use_ema": True, "ema_momentum": 0.5}, excluding()),
    "ema written": (
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        excluding(),
    ),
    "accumulation": ({"gradient_accumulation_steps": 2}, excluding()),
    "scaled": ({"loss_scale_factor": 4.0}, excluding()),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_keras_own_adamw(case):
    arguments, call = CASES[case]
    is_clipped = arguments.keys() & {"clipnorm", "clipvalue", "global_clipnorm"}
    ours = AdamW(
        **SAME | arguments,
        bias_correction=True,
        **({} if is_clipped else {"clip_norm": None}),
    )
    theirs = keras.optimizers.AdamW(**SAME | arguments)
    expected = trained(theirs, call)
    for name, value in trained(ours, call).items():
        np.testing.assert_allclose(value, expected[name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("call", "kernel", "bias", "embeddings"),
    [
        (lambda o, own: None, 0.95, 1.0, 0.95),
        (excluding(var_names=["kernel"]), 1.0, 0.95, 0.95),
        (excluding(var_names=["kernel", "bias"]), 1.0, 1.0, 0.95),
        (lambda o, own: o.exclude_from_weight_decay(var_list=own[:1]), 1.0, 0.95, 0.95),
    ],
)
def test_a_step_without_gradient_is_the_decay_alone(call, kernel, bias, embeddings):
    own = variables()
    before = [array(v) for v in own]
    optimizer = AdamW(0.1, weight_decay=0.5)
    call(optimizer, own)
    again = AdamW.from_config(optimizer.get_config())
    expected = {"kernel": kernel, "bias": bias, "embeddings": embeddings}
    for each in (optimizer, again):
        for variable, value in zip(own, before, strict=True):
            variable.assign(value)
        each.apply([keras.ops.zeros(v.shape) for v in own], own)
        for variable, value in zip(own, before, strict=True):
            if variable.name in expected:
                left = expected[variable.name] * value
                np.testing.assert_allclose(array(variable), left, rtol=1e-6)


def test_lamb_leaves_what_is_excluded_undecayed():
    own = variables()
    before = array(own[0])
    optimizer = Lamb(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer.apply([keras.ops.zeros(v.shape) for v in own], own)
    assert np.array_equal(array(own[0]), before)
    assert not np.array_equal(array(own[-1]), before)


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_no_weight_decay(value):
    own = variables()
    before = [array(v) for v in own]
    optimizer = adamw(0.1, weight_decay=value)
    optimizer.apply([keras.ops.zeros(v.shape) for v in own], own)
    for variable, expected in zip(own, before, strict=True):
        assert np.array_equal(array(variable), expected)


@pytest.mark.parametrize("make", [adamw, lamb])
def test_every_setting_is_in_the_config(make):
    settings = {
        "weight_decay": 0.2,
        "clipvalue": 0.5,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 3,
        "loss_scale_factor": 8.0,
        "gradient_accumulation_steps": 4,
    }
    optimizer = make(0.5, **settings)
    optimizer.exclude_from_weight_decay(variables()[:1], ["gamma"])
    config = optimizer.get_config()
    assert {name: config[name] for name in settings} == settings
    assert config["clip_norm"] is None and config["undecayed"] == ["gamma"]
    serialized = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(serialized)
    assert again.get_config() == config


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (1.0, None, None)),
        ({"clip_norm": None}, (None, None, None)),
        ({"clip_norm": 2.0}, (2.0, None, None)),
        ({"global_clipnorm": 3.0}, (3.0, None, None)),
        ({"clipnorm": 0.5}, (None, 0.5, None)),
        ({"clip_norm": None, "clipvalue": 0.5}, (None, None, 0.5)),
    ],
)
def test_one_way_of_clipping(arguments, expected):
    for optimizer in (AdamW(**arguments), adamw(0.1, **arguments)):
        found = optimizer.clip_norm, optimizer.clipnorm, optimizer.clipvalue
        assert found == expected
        assert optimizer.global_clipnorm == optimizer.clip_norm


def test_two_ways_of_clipping_are_refused():
    with pytest.raises(ValueError, match="one way of clipping; got clip_norm=1.0 and"):
        AdamW(clip_norm=1.0, clipvalue=0.5)
    with pytest.raises(ValueError, match="Only one of"):  # Keras' own words
        AdamW(clipnorm=1.0, clipvalue=0.5)


def test_a_schedule_of_ones_own_takes_no_total_steps():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    assert float(adamw(schedule).learning_rate) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="Expected a number, the peak .*Exponential"):
        adamw(schedule, total_steps=10)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_few_bits_take_whole_steps(dtype):
    """Two of 0.25, as in float32. Keras' own stand still in bfloat16: 0.999 is 1."""
    layer = keras.layers.Dense(2, dtype=dtype)
    layer.build((None, 2))
    layer.kernel.assign(np.ones((2, 2)))
    optimizer = AdamW(0.25, 0.0, bias_correction=True, clip_norm=None)
    for _ in range(2):
        optimizer.apply([keras.ops.ones((2, 2), dtype)], [layer.kernel])
    kernel = array(keras.ops.cast(layer.kernel, "float32"))
    np.testing.assert_allclose(kernel, 0.5, atol=0.02)


def test_a_scaled_sparse_gradient_is_the_dense_one():
    """Keras' own optimizers refuse it on TensorFlow: nothing divides IndexedSlices."""
    tf = pytest.importorskip("tensorflow")
    if keras.config.backend() != "tensorflow":
        pytest.skip("gradients of gathers are sparse on TensorFlow only")
    layer = keras.layers.Embedding(3, 2, embeddings_initializer="ones")
    layer.build((None,))
    gradient = tf.IndexedSlices(tf.fill((2, 2), 8.0), [1, 1], (3, 2))
    optimizer = AdamW(0.5, 0.0, beta_1=0.0, loss_scale_factor=8.0, clip_norm=None)
    optimizer.apply([gradient], [layer.embeddings])
    moved = 1 - array(layer.embeddings)  # by 0.5 m / sqrt(v) with v = 0.001 g^2
    np.testing.assert_allclose(moved[1], 0.5 / 0.001**0.5, rtol=1e-4)
    np.testing.assert_array_equal(moved[[0, 2]], 0)
    assert optimizer.scale_loss(1.0) == 8.0


def test_the_state_of_all_this_is_kept_by_a_keras_file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    optimizer = adamw(
        WarmupLinearDecay(0.1, 100, 10), use_ema=True, gradient_accumulation_steps=2
    )
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    model.compile(optimizer, "mse")
    x, y = np.ones((2, 4)), np.ones((2, 3))
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.train_on_batch(x, y)
    found = [[*each.weights, *each.optimizer.variables] for each in (model, loaded)]
    for a, b in zip(*found, strict=True):
        assert np.array_equal(array(a), array(b))
