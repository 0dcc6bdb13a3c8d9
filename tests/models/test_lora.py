"""Low-rank adapters: what trains, by number and by step, and the formula."""

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.surgery import drop_layers, freeze, resize_vocabulary
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

# Each model, how many weights its head has, and whether its outputs read the pooler.
KINDS = {
    "backbone": (lambda backbone: backbone, 0, True),
    "pretrainer": (BertPretrainer, 7, True),
    "text_classifier": (lambda b: BertTextClassifier(b, 3), 2, True),
    "token_classifier": (lambda b: BertTokenClassifier(b, 3), 2, False),
    "question_answerer": (BertQuestionAnswerer, 2, False),
}
LAYERS, DIM, INNER, RANK = 2, 8, 12, 2
INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 5, 3, 0, 0], [2, 6, 4, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
    "mask_positions": np.array([[1, 4], [2, 0]], "i4"),
}


def made(kind, dtype=None, when="after"):
    """A model with random weights; LoRA enabled before or after its head is made."""
    backbone = BertBackbone(
        11, LAYERS, 2, DIM, INNER, dropout=0.0, attention_dropout=0.0, dtype=dtype
    )
    if when == "before":
        backbone.enable_lora(RANK)
    model = KINDS[kind][0](backbone)
    for i, weight in enumerate([*backbone.weights, *model.weights]):
        if "lora" not in weight.path:
            weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.5)
    if when == "after":
        backbone.enable_lora(RANK)
    return model


def array(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


def outputs(model):
    return [array(x) for x in keras.tree.flatten(model(inputs_of(model)))]


def inputs_of(model):
    return {name: INPUTS[name] for name in model.input}


def fill_adapters(backbone):
    """Random numbers in B, which begins with zeros."""
    for i, dense in enumerate(backbone.dense_layers):
        b = dense.lora_kernel_b
        b.assign(np.random.default_rng(100 + i).normal(size=b.shape) * 0.3)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_trains_by_number(kind, when):
    model = made(kind, when=when)
    _, head, reads_pooler = KINDS[kind]
    trained = model.trainable_weights
    adapters = [w for w in trained if w.path.split("/")[-1].startswith("lora_kernel_")]
    assert len(adapters) == LAYERS * 4 * 2
    assert {w.path.split("/")[0] for w in adapters} == {
        f"encoder_block_{i}" for i in range(LAYERS)
    }
    numbers = sum(int(np.prod(w.shape)) for w in adapters)
    assert numbers == LAYERS * RANK * (8 * DIM + 2 * INNER)
    assert len(trained) == LAYERS * 8 + 2 * reads_pooler + head
    others = {w.path.split("/")[0] for w in trained} - {
        w.path.split("/")[0] for w in adapters
    }
    assert not {name for name in others if name.startswith(("encoder", "embeddings"))}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_before_a_step(kind):
    model = made(kind, when=None)
    before = outputs(model)
    getattr(model, "backbone", model).enable_lora(RANK, alpha=16)
    for a, b in zip(before, outputs(model), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("alpha, factor", [(None, 1.0), (6, 3.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_formula(kind, alpha, factor):
    """Equal to a model without LoRA whose kernels are W + (alpha / rank) A B."""
    model, plain = made(kind, when=None), made(kind, when=None)
    backbone = getattr(model, "backbone", model)
    backbone.enable_lora(RANK, alpha)
    fill_adapters(backbone)
    layers = getattr(plain, "backbone", plain).dense_layers
    before = outputs(plain)
    for dense, other in zip(backbone.dense_layers, layers, strict=True):
        a, b = array(dense.lora_kernel_a), array(dense.lora_kernel_b)
        other.kernel.assign(array(other.kernel) + factor * a @ b)
    for a, b, c in zip(outputs(model), outputs(plain), before, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-6)
        assert np.abs(b - c).max() > 1e-3


@pytest.mark.parametrize(
    "kind, dtype",
    [(kind, "float32") for kind in KINDS]
    + [(kind, "mixed_bfloat16") for kind in ("text_classifier", "question_answerer")],
)
def test_a_step_moves_adapters_and_head_alone(kind, dtype):
    model = made(kind, dtype)
    fill_adapters(getattr(model, "backbone", model))  # or A would not move yet
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    inputs = inputs_of(model)
    targets = keras.tree.map_structure(
        lambda x: np.random.default_rng(0).normal(size=x.shape).astype("f4"),
        model(inputs),
    )
    before = {w.path: array(w).copy() for w in model.weights}
    model.fit(inputs, targets, verbose=0)
    trained = {w.path for w in model.trainable_weights}
    for weight in model.weights:
        moved = not np.array_equal(array(weight), before[weight.path])
        assert moved == (weight.path in trained), weight.path
        assert np.isfinite(array(weight)).all()
        assert weight.dtype == "float32"


def test_the_last_block_has_the_gradient_of_whole_rows():
    """`rows_at` cuts the kernel of the last block; its adapter must not notice."""
    model = made("text_classifier")
    fill_adapters(model.backbone)
    whole = keras.Model(
        model.input,
        model.classifier(model.backbone.output["pooled_output"]),
    )
    start = [array(w) for w in model.trainable_weights]
    steps = []
    for each in (model, whole):
        for weight, value in zip(model.trainable_weights, start, strict=True):
            weight.assign(value)
        each.compile(keras.optimizers.SGD(0.1), loss="mse")
        each.fit(inputs_of(model), np.ones((2, 3)), verbose=0)
        steps.append({w.path: array(w) for w in each.trainable_weights})
    assert set(steps[0]) == set(steps[1])
    for path, value in steps[0].items():
        np.testing.assert_allclose(value, steps[1][path], atol=2e-6, err_msg=path)
    assert any("encoder_block_1/attention/query_key_value/lora" in p for p in steps[0])


def test_what_stood_still_before_has_adapters_too():
    model = made("text_classifier", when=None)
    freeze(model, 1)
    model.backbone.pooler.trainable = False
    model.backbone.enable_lora(RANK)
    assert len(model.trainable_weights) == LAYERS * 8 + 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_keras_file_is_merged(kind, tmp_path):
    model = made(kind)
    fill_adapters(getattr(model, "backbone", model))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not getattr(loaded, "backbone", loaded).has_lora
    assert loaded.get_config() == model.get_config()
    assert len(loaded.trainable_weights) == len(loaded.weights)
    for a, b in zip(outputs(model), outputs(loaded), strict=True):
        np.testing.assert_allclose(a, b, atol=3e-6)


def test_weights_are_loaded_before_lora_is_enabled(tmp_path):
    model = made("text_classifier")
    fill_adapters(model.backbone)
    model.save_weights(tmp_path / "a.weights.h5")
    other = made("text_classifier", when=None)
    other.load_weights(tmp_path / "a.weights.h5")
    other.backbone.enable_lora(RANK)
    np.testing.assert_allclose(outputs(model)[0], outputs(other)[0], atol=3e-6)
    assert np.abs(array(other.backbone.dense_layers[0].lora_kernel_a)).min() > 0


def test_surgery_refuses():
    model = made("text_classifier")
    for cut in (
        lambda: drop_layers(model, 1),
        lambda: resize_vocabulary(model, 16),
        lambda: freeze(model, 1),
    ):
        with pytest.raises(ValueError, match="without LoRA.*kbert.save it"):
            cut()


@pytest.mark.parametrize("rank", [0, -1, 2.0, "4"])
def test_no_rank(rank):
    with pytest.raises(ValueError, match=f"rank must be an integer.*got {rank!r}"):
        made("backbone", when=None).enable_lora(rank)


@pytest.mark.parametrize("alpha", [0, -1.5])
def test_no_alpha(alpha):
    with pytest.raises(ValueError, match=f"alpha must be above 0.*got {alpha}"):
        made("backbone", when=None).enable_lora(2, alpha)


def test_a_second_call():
    model = made("text_classifier")
    before = [w.path for w in model.trainable_weights]
    with pytest.raises(ValueError, match="this one has it, and one rank for good"):
        model.backbone.enable_lora(4)
    assert [w.path for w in model.trainable_weights] == before
