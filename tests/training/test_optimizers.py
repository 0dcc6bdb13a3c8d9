"""AdamW against google-research/bert's formula in NumPy, and against Keras' Adam."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.surgery import freeze
from kbert.models.text_classifier import BertTextClassifier
from kbert.training.layer_depths import layer_depths
from kbert.training.optimizers import AdamW, adamw
from kbert.training.schedules import WarmupLinearDecay

DECAYED = {"kernel", "embeddings"}


def array(x):
    return keras.ops.convert_to_numpy(x)


def variables():
    """kernel, bias, gamma, beta and embeddings, as layers name them."""
    layers = [
        keras.layers.Dense(3),
        keras.layers.LayerNormalization(),
        keras.layers.Embedding(5, 4),
    ]
    for layer, shape in zip(layers, [(None, 4), (None, 4), (None,)], strict=True):
        layer.build(shape)
    found = [v for layer in layers for v in layer.trainable_variables]
    for i, variable in enumerate(found):
        variable.assign(np.random.default_rng(i).normal(size=variable.shape))
    assert {v.name for v in found} == DECAYED | {"bias", "gamma", "beta"}
    return found


def gradients(variables, step, scale=1.0):
    rng = np.random.default_rng([7, step])
    return [(scale * rng.normal(size=v.shape)).astype("float32") for v in variables]


class Reference:
    """`AdamWeightDecayOptimizer` of google-research/bert, in float64."""

    def __init__(self, variables, weight_decay, clip_norm, epsilon, corrected=False):
        self.names = [v.name for v in variables]
        self.w = [array(v).astype("float64") for v in variables]
        self.m = [np.zeros(w.shape) for w in self.w]
        self.v = [np.zeros(w.shape) for w in self.w]
        self.weight_decay, self.clip_norm = weight_decay, clip_norm
        self.epsilon, self.corrected, self.steps = epsilon, corrected, 0

    def apply(self, grads, rate):
        self.steps += 1
        norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in grads))
        scale = 1.0 if self.clip_norm is None else min(1.0, self.clip_norm / norm)
        for i, (name, g) in enumerate(zip(self.names, grads, strict=True)):
            g = g * scale
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g**2
            m, v = self.m[i], self.v[i]
            if self.corrected:
                m, v = m / (1 - 0.9**self.steps), v / (1 - 0.999**self.steps)
            update = m / (np.sqrt(v) + self.epsilon)
            if name in DECAYED:
                update = update + self.weight_decay * self.w[i]
            self.w[i] = self.w[i] - rate * update


def assert_near(variables, expected, atol=2e-6):
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(array(variable), value, atol=atol)


# Norms of these gradients are near 6: the first is clipped, the second is not.
@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
@pytest.mark.parametrize("corrected", [False, True])
def test_equals_the_formula(scale, epsilon, corrected):
    own = variables()
    reference = Reference(own, 0.3, 1.0, epsilon, corrected)
    optimizer = AdamW(
        0.05, weight_decay=0.3, epsilon=epsilon, bias_correction=corrected
    )
    for step in range(6):
        grads = gradients(own, step, scale)
        assert (np.sqrt(sum((g**2).sum() for g in grads)) > 1) == (scale == 1.0)
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], own)
        reference.apply(grads, 0.05)
    assert_near(own, reference.w, atol=1e-5)


def test_no_decay_on_bias_and_norm():
    own = variables()
    before = [array(v) for v in own]
    optimizer = AdamW(0.1, weight_decay=0.5)
    optimizer.apply([keras.ops.zeros(v.shape) for v in own], own)
    for variable, value in zip(own, before, strict=True):
        left = 0.95 if variable.name in DECAYED else 1.0
        np.testing.assert_allclose(array(variable), left * value, rtol=1e-6)


def test_without_clipping():
    own = variables()
    reference = Reference(own, 0.01, None, 0.1)
    optimizer = AdamW(0.05, epsilon=0.1, clip_norm=None)
    for step in range(4):
        grads = gradients(own, step, 3.0)
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], own)
        reference.apply(grads, 0.05)
    assert_near(own, reference.w, atol=1e-5)


def test_corrected_and_without_decay_is_keras_adam():
    # Keras does not correct the root to which it adds epsilon, the paper does: hence a
    # small epsilon.
    own, theirs = variables(), variables()
    optimizer = AdamW(
        0.01, weight_decay=0.0, epsilon=1e-10, bias_correction=True, clip_norm=None
    )
    adam = keras.optimizers.Adam(0.01, epsilon=1e-10)
    for step in range(10):
        grads = [keras.ops.convert_to_tensor(g) for g in gradients(own, step)]
        optimizer.apply(grads, own)
        adam.apply(grads, theirs)
    assert_near(own, [array(v) for v in theirs], atol=1e-6)


def test_the_schedule_is_followed():
    own = variables()
    reference = Reference(own, 0.01, 1.0, 1e-6)
    optimizer = AdamW(WarmupLinearDecay(0.1, 5, 2))
    for step, rate in enumerate([0.0, 0.05, 0.06, 0.04, 0.02]):
        grads = gradients(own, step)
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], own)
        reference.apply(grads, rate)
    assert_near(own, reference.w, atol=1e-5)
    assert int(optimizer.iterations) == 5


@pytest.mark.parametrize("clip_norm", [0.5, None])
def test_sparse_gradients_are_the_dense_ones(clip_norm):
    tf = pytest.importorskip("tensorflow")
    if keras.config.backend() != "tensorflow":
        pytest.skip("gradients of gathers are sparse on TensorFlow only")
    ids = np.array([[1, 3, 3], [0, 3, 1]], "int32")
    tables = []
    for is_sparse in (True, False):
        layer = keras.layers.Embedding(5, 4)
        layer.build((None,))
        layer.embeddings.assign(np.random.default_rng(0).normal(size=(5, 4)))
        optimizer = AdamW(0.05, epsilon=0.1, clip_norm=clip_norm)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(ids) ** 2)
            (grad,) = tape.gradient(loss, [layer.embeddings.value])
            assert isinstance(grad, tf.IndexedSlices)
            grad = grad if is_sparse else tf.convert_to_tensor(grad)
            optimizer.apply([grad], [layer.embeddings])
        tables.append(array(layer.embeddings))
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-6)


def test_a_frozen_layer_stays():
    keras.utils.set_random_seed(0)
    frozen, free = keras.layers.Dense(3), keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((4,)), frozen, free])
    frozen.trainable = False
    before = array(frozen.kernel), array(free.kernel)
    model.compile(AdamW(0.1), "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 2)))
    assert np.array_equal(array(frozen.kernel), before[0])
    assert not np.array_equal(array(free.kernel), before[1])


def test_config_round_trip():
    arguments = {
        "learning_rate": 0.5,
        "weight_decay": 0.2,
        "beta_1": 0.8,
        "beta_2": 0.9,
        "epsilon": 1e-3,
        "bias_correction": True,
        "clip_norm": 2.0,
        "layer_decay": 0.7,
    }
    optimizer = AdamW(**arguments)
    serialized = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(serialized)
    config = again.get_config()
    assert config == optimizer.get_config()
    assert {k: config[k] for k in arguments} == pytest.approx(arguments)


def test_state_is_kept_by_a_keras_file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(AdamW(WarmupLinearDecay(0.1, 100, 10)), "mse")
    x, y = np.ones((2, 4)), np.ones((2, 3))
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for _ in range(3):
        model.train_on_batch(x, y)
        loaded.train_on_batch(x, y)
    assert int(loaded.optimizer.iterations) == 6
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_adamw_lays_the_schedule():
    optimizer = adamw(0.1, total_steps=50, warmup_share=0.2, bias_correction=True)
    assert optimizer.get_config()["learning_rate"]["config"] == {
        "peak_learning_rate": 0.1,
        "total_steps": 50,
        "warmup_steps": 10,
    }
    assert optimizer.bias_correction
    assert (optimizer.weight_decay, optimizer.clip_norm) == (0.01, 1.0)
    assert float(adamw(0.1).learning_rate) == pytest.approx(0.1)
    assert optimizer.layer_decay == 1.0
    assert adamw(0.1, layer_decay=0.9).layer_decay == 0.9


def tiny_backbone(num_layers=3):
    return BertBackbone(7, num_layers, 1, 4, 6, max_sequence_length=5)


def test_depths_of_all_weights_of_a_classifier():
    model = BertTextClassifier(tiny_backbone(), 2)
    paths = [variable.path for variable in model.trainable_variables]
    found = {}
    for path, depth in zip(paths, layer_depths(paths), strict=True):
        found.setdefault(path.split("/")[0], set()).add(depth)
    assert found == {
        "embeddings": {4},
        "encoder_block_0": {3},
        "encoder_block_1": {2},
        "encoder_block_2": {1},
        "pooler": {0},
        "classifier": {0},
    }


def test_depths_of_paths():
    paths = ["encoder_block_11/x", "head/embeddings", "bert/embeddings/norm/gamma"]
    assert layer_depths([*paths, "bert/encoder_block_2/x"]) == [1, 0, 13, 10]
    model = BertPretrainer(tiny_backbone())
    freeze(model, 2)  # what does not train is not counted
    paths = [variable.path for variable in model.trainable_variables]
    assert {path.split("/")[0]: d for path, d in zip(paths, layer_depths(paths))} == {
        "encoder_block_2": 1,
        "pooler": 0,
        "masked_lm_head": 0,
        "next_sentence_head": 0,
    }


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("schedule", [None, WarmupLinearDecay(0.1, 5, 2)])
def test_every_depth_has_its_rate(fused, schedule, monkeypatch):
    """With both betas 0 and hardly an epsilon, a step without decay is 1 x rate."""
    if not fused:  # the plain ops of other backends, on whichever this is
        monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    model = BertTextClassifier(tiny_backbone(), 2)
    own = model.trainable_variables
    for variable in own:
        variable.assign(np.ones(variable.shape))
    optimizer = AdamW(
        schedule or 0.1,
        weight_decay=0.5,
        beta_1=0.0,
        beta_2=0.0,
        epsilon=1e-12,
        layer_decay=0.5,
    )
    rate = 0.1
    if schedule:  # whose rate is 0 in step 0, and half the peak in step 1
        rate = 0.05
        optimizer.apply([keras.ops.zeros(v.shape) for v in own], own)
    optimizer.apply([keras.ops.ones(v.shape) for v in own], own)
    factors = {
        "classifier": 1.0,
        "pooler": 1.0,
        "encoder_block_2": 0.5,
        "encoder_block_1": 0.25,
        "encoder_block_0": 0.125,
        "embeddings": 0.0625,
    }
    for variable in own:
        step = 1.5 if variable.name in DECAYED else 1.0  # 1 + weight_decay x 1
        expected = 1 - rate * factors[variable.path.split("/")[0]] * step
        np.testing.assert_allclose(array(variable), expected, rtol=1e-6)


@pytest.mark.parametrize("layer_decay", [0.0, -0.5, 1.5])
def test_layer_decay_out_of_bounds(layer_decay):
    with pytest.raises(ValueError, match=f"above 0 and at most 1.*got {layer_decay}"):
        AdamW(layer_decay=layer_decay)


def test_layer_decay_without_layers():
    own = variables()
    with pytest.raises(ValueError, match="encoder_block_0/.*got dense.*kernel"):
        AdamW(layer_decay=0.9).build(own)
