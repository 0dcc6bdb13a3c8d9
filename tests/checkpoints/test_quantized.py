"""`model.quantize` on every kind of model, and what of it is written and cloned."""

import gc

import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load, save
from kbert.checkpoints.model_builder import variables_of
from kbert.layers.heads import MaskedLMHead
from kbert.models.backbone import BertBackbone
from kbert.models.multiple_choice import BertMultipleChoice
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.surgery import drop_layers, resize_vocabulary
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

KINDS = {
    "backbone": lambda backbone: backbone,
    "pretrainer": BertPretrainer,
    "text_classifier": lambda b: BertTextClassifier(b, 3),
    "token_classifier": lambda b: BertTokenClassifier(b, 3),
    "question_answerer": BertQuestionAnswerer,
    "multiple_choice": BertMultipleChoice,
    # Of somebody's own: Keras quantizes them, and kbert's layers alone are asked.
    "own head": lambda b: keras.Model(
        b.input, keras.layers.Dense(3)(b.output["pooled_output"])
    ),
    "own head on a layer": lambda b: keras.Model(
        b.input, keras.layers.Dense(3)(b(b.input)["pooled_output"])
    ),
    "own decoder": lambda b: keras.Model(
        b.input,
        MaskedLMHead(b.embeddings.token_embedding)(b.output["sequence_output"]),
    ),
}
OURS = [kind for kind in KINDS if not kind.startswith("own")]
IDS = np.array([[2, 7, 8, 3, 5, 3, 0, 0], [2, 6, 4, 3, 0, 0, 0, 0]], "int32")
INPUTS = {
    "token_ids": IDS,
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "int32"),
    "padding_mask": (IDS > 0).astype("int32"),
    "mask_positions": np.array([[1, 4], [2, 0]], "int32"),
}
NOT_LAYERS = "ignore:Layer .* does not have a `quantize` method"
pytestmark = pytest.mark.filterwarnings(NOT_LAYERS)


@pytest.fixture(autouse=True)
def no_search_for_garbage(monkeypatch):
    """Where Keras quantizes by itself, it looks through all objects for each weight."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


def made(kind, dtype=None):
    keras.utils.set_random_seed(3)
    return KINDS[kind](BertBackbone(50, 1, 4, 64, 64, dropout=0.0, dtype=dtype))


def outputs(model):
    inputs = {name: INPUTS[name] for name in model.input}
    if len(model.input["token_ids"].shape) == 3:  # choices
        inputs = {name: np.stack([x, x[:, ::-1]], 1) for name, x in inputs.items()}
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(inputs))]


def cosines(some, others):
    for a, b in zip(some, others, strict=True):
        a, b = a.astype("float64").ravel(), b.astype("float64").ravel()
        yield a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stay_and_a_keras_file_has_the_same(kind, tmp_path):
    model = made(kind)
    before = outputs(model)
    model.quantize("int8")
    after = outputs(model)
    assert min(cosines(before, after)) >= 0.999
    if kind in OURS:
        backbone = getattr(model, "backbone", model)
        assert str(backbone.embeddings.token_embedding.embeddings.dtype) == "int8"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)  # the decoder is still tied
    for a, b in zip(after, outputs(loaded), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", ["pretrainer", "token_classifier"])
def test_saved_as_the_numbers_that_codes_stand_for(kind, tmp_path):
    model = made(kind)
    before = outputs(model)
    floats = {path: np.array(value) for path, value in variables_of(model).items()}
    model.quantize("int8")
    for path, value in variables_of(model).items():
        step = np.abs(floats[path]).max() / 127
        np.testing.assert_allclose(value, floats[path], atol=step, err_msg=path)
    loaded = load(save(model, tmp_path / "model"))
    assert min(cosines(before, outputs(loaded))) >= 0.999
    assert loaded.trainable_weights


@pytest.mark.parametrize(
    "kind, mode",
    [
        *((kind, "int4") for kind in OURS),
        *(("text_classifier", mode) for mode in ("float8", "gptq", "awq")),
    ],
)
def test_what_loses_too_much_is_refused_before_anything_is_changed(kind, mode):
    model = made(kind)
    before = outputs(model)
    calibrated = {"dataset": ["a"], "tokenizer": str.split}
    config = {
        "gptq": lambda: keras.quantizers.GPTQConfig(**calibrated),
        "awq": lambda: keras.quantizers.AWQConfig(**calibrated),
    }.get(mode, lambda: None)()
    with pytest.raises(ValueError, match=f"Expected the mode int8.*; got {mode}: "):
        model.quantize(mode, config=config)
    assert all("int" not in str(weight.dtype) for weight in model.weights)
    for a, b in zip(before, outputs(model), strict=True):
        assert np.array_equal(a, b)


def test_a_config_has_a_mode_too():
    config = keras.quantizers.Int4QuantizationConfig()
    with pytest.raises(ValueError, match="got int4: 16 levels"):
        made("text_classifier").quantize(config=config)


def test_a_second_time():
    model = made("question_answerer")
    model.quantize("int8", filters="query_key_value")
    with pytest.raises(ValueError, match="this one is quantized already"):
        model.quantize("int8")


@pytest.mark.parametrize("block_size", [None, 8])
def test_four_bits_unchecked_are_what_their_codes_stand_for(block_size, tmp_path):
    model = made("pretrainer")
    config = keras.quantizers.Int4QuantizationConfig(
        block_size=block_size, activation_quantizer=None
    )
    keras.Model.quantize(model, "int4", config=config)
    after = outputs(model)
    loaded = load(save(model, tmp_path / "model"))
    for a, b in zip(after, outputs(loaded), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_as_kerashub_does():
    keras_hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(3)
    backbone = keras_hub.models.BertBackbone(50, 2, 4, 32, 64)
    theirs = keras_hub.models.BertTextClassifier(backbone, 3)
    ours = made("text_classifier")
    for model in (theirs, ours):
        before = outputs(model)
        model.quantize("int8")
        assert min(cosines(before, outputs(model))) >= 0.999


def test_in_mixed_precision():
    model = made("pretrainer", "mixed_bfloat16")
    before = outputs(model)
    model.quantize("int8")
    assert min(cosines(before, outputs(model))) >= 0.998  # bfloat16 has 8 bits itself


def test_float16_is_refused_by_keras():
    model = made("text_classifier", "mixed_float16")
    with pytest.raises(ValueError, match="doesn't work well with compute_dtype='floa"):
        model.quantize("int8")
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}


def fit(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, run_eagerly=True)
    inputs = {name: INPUTS[name] for name in model.input}
    return model.fit(inputs, np.array([0, 2]), epochs=2, verbose=0).history["loss"]


def test_training_goes_on_with_biases_and_norms():
    model = made("text_classifier")
    model.quantize("int8")
    codes = [np.array(w) for w in model.weights if "int8" in str(w.dtype)]
    losses = fit(model)
    assert losses[1] < losses[0]
    after = [np.array(w) for w in model.weights if "int8" in str(w.dtype)]
    assert len(codes) == 4 + 3 + 2
    for a, b in zip(codes, after, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize(
    "adapters_first", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_with_lora(adapters_first, tmp_path):
    model = made("text_classifier")
    steps = [
        lambda: model.backbone.enable_lora(2),
        lambda: model.quantize("int8"),
    ]
    for step in steps if adapters_first else steps[::-1]:
        step()
        fit(model)
    assert np.abs(np.array(model.backbone.dense_layers[0].lora_kernel_b)).max() > 0
    after = outputs(model)
    model.save(tmp_path / "model.keras")
    merged = load(save(model, tmp_path / "model"))
    for other in (keras.saving.load_model(tmp_path / "model.keras"), merged):
        assert not other.backbone.has_lora
        assert min(cosines(after, outputs(other))) >= 0.999


def test_an_adapter_of_the_tied_table_counts_in_both_directions(tmp_path):
    model = made("pretrainer")
    table = model.backbone.embeddings.token_embedding
    table.enable_lora(2)
    table.lora_embeddings_b.assign(np.random.default_rng(0).normal(0, 0.02, (2, 64)))
    before = outputs(model)
    model.quantize("int8")
    merged = load(save(model, tmp_path / "model"))
    for after in (outputs(model), outputs(merged)):
        assert min(cosines(before, after)) >= 0.999


def test_surgery_refuses():
    model = made("pretrainer")
    model.quantize("int8")
    for cut in (lambda: drop_layers(model, 1), lambda: resize_vocabulary(model, 60)):
        with pytest.raises(ValueError, match="that is not quantized.*kbert.save it"):
            cut()


def clone(model, how):
    if how == "input_tensors":
        tensors = {
            name: keras.Input(x.shape[1:], dtype=x.dtype, name=name)
            for name, x in model.input.items()
        }
        return keras.models.clone_model(model, input_tensors=tensors)
    if how == "clone_function":
        function = lambda layer: type(layer).from_config(layer.get_config())  # noqa: E731
        return keras.models.clone_model(model, clone_function=function)
    return keras.models.clone_model(model)


@pytest.mark.parametrize(
    "mode, how",
    [
        (None, "plain"),
        (None, "input_tensors"),
        (None, "clone_function"),
        ("int8", "plain"),
    ],
)
def test_a_clone_is_tied_as_the_model_is(mode, how):
    model = made("pretrainer")
    if mode:
        model.quantize(mode)
    copy = clone(model, how)
    copy.set_weights(model.get_weights())
    for a, b in zip(outputs(model), outputs(copy), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", ["multiple_choice", "own head", "own decoder"])
def test_a_clone_of_each_kind(kind):
    model = made(kind)
    copy = clone(model, "plain")
    copy.set_weights(model.get_weights())
    for a, b in zip(outputs(model), outputs(copy), strict=True):
        assert np.array_equal(a, b)
