"""KerasHub's presets: same numbers as KerasHub's own, there and back bit for bit."""

import json
import shutil
import warnings

import h5py
import keras
import keras_hub
import numpy as np
import pytest

from kbert.checkpoints.keras import kerashub
from kbert.checkpoints.keras.kerashub_writer import write_preset
from kbert.checkpoints.model_builder import build
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c", "é"]
SIZES = {
    "vocabulary_size": 9,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "max_sequence_length": 12,
    "num_segments": 2,
}
# A pair with padding, one text with padding, and a full row.
INPUTS = {
    "token_ids": np.array(
        [[2, 5, 6, 3, 8, 3, 0, 0], [2, 7, 3, 0, 0, 0, 0, 0], [2, 5, 4, 3, 8, 7, 6, 3]]
    ),
    "segment_ids": np.array(
        [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]
    ),
    "padding_mask": np.array(
        [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1]]
    ),
}
POSITIONS = {"mask_positions": np.array([[1, 2], [1, 0], [2, 5]])}


def randomised(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        value = rng.normal(size=weight.shape) * 0.2
        weight.assign(value + weight.path.endswith("gamma"))
    return model


def theirs(kind, **arguments):
    backbone = keras_hub.models.BertBackbone(**SIZES, dropout=0.2)
    if kind == "backbone":
        return randomised(backbone)
    made = getattr(keras_hub.models, kind)(backbone, **arguments)
    return randomised(made)


def ours(kind, **arguments):
    fields = SIZES | {"activation": "gelu_tanh"} | arguments
    backbone = BertBackbone(**fields)
    made = {
        "backbone": lambda: backbone,
        "pretrainer": lambda: BertPretrainer(backbone),
        "text_classifier": lambda: BertTextClassifier(backbone, 3, dropout=0.3),
        "token_classifier": lambda: BertTokenClassifier(backbone, 3),
    }
    return randomised(made[kind]())


def loaded(directory, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the next sentence head
        return build(kerashub.read_checkpoint(directory), **arguments)[0]


def difference(a, b):
    return np.abs(np.array(a) - np.array(b)).max()


def change_json(path, change):
    stored = json.loads(path.read_text("utf-8"))
    change(stored)
    path.write_text(json.dumps(stored), "utf-8")


def test_a_backbone_computes_what_kerashubs_does(tmp_path):
    model = theirs("backbone")
    model.save_to_preset(tmp_path)
    checkpoint = kerashub.read_checkpoint(tmp_path)
    assert (checkpoint.head, checkpoint.head_arguments) == ("backbone", {})
    assert checkpoint.config.activation == "gelu_tanh"
    assert checkpoint.config.layer_norm_epsilon == 1e-12
    assert checkpoint.config.dropout == checkpoint.config.attention_dropout == 0.2
    made, report = build(checkpoint)
    assert not report.newly_initialised and not report.ignored
    expected, got = model(INPUTS), made(INPUTS)
    for name in ("sequence_output", "pooled_output"):
        assert difference(expected[name], got[name]) < 2e-5


def test_a_classifier_computes_what_kerashubs_does(tmp_path):
    model = theirs("BertTextClassifier", num_classes=3, dropout=0.25)
    model.save_to_preset(tmp_path)
    checkpoint = kerashub.read_checkpoint(tmp_path)
    assert checkpoint.head == "text_classifier"
    assert checkpoint.head_arguments == {"num_classes": 3, "dropout": 0.25}
    made, report = build(checkpoint)
    assert set(report.ignored.values()) == {"of the optimizer"}
    assert difference(model(INPUTS), made(INPUTS)) < 2e-5
    expected = model.backbone(INPUTS)["sequence_output"]
    got = loaded(tmp_path, head="backbone")(INPUTS)["sequence_output"]
    assert difference(expected, got) < 2e-5


def test_a_trained_classifiers_optimizer_is_passed_over(tmp_path):
    model = theirs("BertTextClassifier", num_classes=3)
    model.optimizer.build(model.trainable_variables)  # two slots for each weight
    model.save_to_preset(tmp_path)
    assert difference(model(INPUTS), loaded(tmp_path)(INPUTS)) < 2e-5


def test_a_masked_lm_differs_by_its_heads_epsilon_and_gelu_alone(tmp_path):
    model = theirs("BertMaskedLM")
    model.save_to_preset(tmp_path)
    checkpoint = kerashub.read_checkpoint(tmp_path)
    assert checkpoint.head == "pretrainer"
    with pytest.warns(UserWarning, match="no weights for next_sentence_head"):
        made, report = build(checkpoint)
    assert {path.split("/")[0] for path in report.newly_initialised} == {
        "next_sentence_head"
    }
    inputs = INPUTS | POSITIONS
    expected = model(inputs)
    assert 2e-5 < difference(expected, made(inputs)["masked_lm"]) < 1e-3
    made.masked_lm_head._activation = lambda x: keras.activations.gelu(x, False)
    made.masked_lm_head.norm.epsilon = 1e-5
    assert difference(expected, made(inputs)["masked_lm"]) < 2e-5


def test_names_of_keras_nlp_are_read(tmp_path):
    model = theirs("BertTextClassifier", num_classes=3)
    model.save_to_preset(tmp_path)

    def rename(stored):
        name = stored["registered_name"].replace("BertTextClassifier", "BertClassifier")
        stored["registered_name"] = name.replace("keras_hub", "keras_nlp")

    change_json(tmp_path / "config.json", rename)
    change_json(tmp_path / "task.json", rename)
    with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    assert kerashub.is_checkpoint(tmp_path)
    assert difference(model(INPUTS), loaded(tmp_path)(INPUTS)) < 2e-5


def test_weights_in_bfloat16_are_read_as_float32(tmp_path):
    backbone = keras_hub.models.BertBackbone(**SIZES, dtype="bfloat16")
    randomised(backbone).save_to_preset(tmp_path)
    checkpoint = kerashub.read_checkpoint(tmp_path)
    table = checkpoint.read("model.weights.h5/layers/reversible_embedding/vars/0")
    assert table.dtype == "float32"
    expected = keras.ops.convert_to_numpy(backbone.token_embedding.embeddings)
    assert np.array_equal(table, expected.astype("float32"))


def test_a_task_kbert_has_no_model_for_gives_its_backbone(tmp_path):
    theirs("BertTextClassifier", num_classes=3).save_to_preset(tmp_path)
    change_json(
        tmp_path / "task.json", lambda s: s.update(registered_name="mine>Ranker")
    )
    checkpoint = kerashub.read_checkpoint(tmp_path)
    assert checkpoint.head == "mine>Ranker"
    with pytest.raises(ValueError, match="is of mine>Ranker"):
        build(checkpoint)
    _, report = build(checkpoint, head="backbone")
    assert "of a head that kbert has no model for" in report.ignored.values()


def test_probabilities_become_logits_with_a_warning(tmp_path):
    model = theirs("BertTextClassifier", num_classes=3, activation="softmax")
    model.save_to_preset(tmp_path)
    with pytest.warns(UserWarning, match="'softmax' in KerasHub; kbert's gives"):
        checkpoint = kerashub.read_checkpoint(tmp_path)
    logits = build(checkpoint)[0](INPUTS)
    assert difference(model(INPUTS), keras.ops.softmax(logits)) < 2e-5


@pytest.mark.parametrize("kind", ["backbone", "text_classifier", "pretrainer"])
def test_there_and_back_is_exact(tmp_path, kind):
    model = ours(kind)
    lost = write_preset(model, tmp_path / "preset")
    assert bool(lost) == (kind == "pretrainer")
    back = loaded(tmp_path / "preset")
    assert type(back) is type(model)
    skipped = 0
    for a, b in zip(model.weights, back.weights, strict=True):
        if "next_sentence_head" in a.path:
            skipped += 1
        else:
            assert np.array_equal(np.array(a), np.array(b)), a.path
    assert skipped == (2 if kind == "pretrainer" else 0)
    if kind == "text_classifier":
        assert back.dropout == 0.3


def test_kerashub_loads_what_is_written(tmp_path):
    tokenizer = ReferenceTokenizer(Vocabulary(TOKENS), lowercase=True)
    models = keras_hub.models

    model = ours("backbone")
    write_preset(model, tmp_path / "backbone", tokenizer)
    got = models.BertBackbone.from_preset(str(tmp_path / "backbone"))(INPUTS)
    expected = model(INPUTS)
    assert difference(expected["sequence_output"], got["sequence_output"]) < 2e-5
    texts = models.BertTokenizer.from_preset(str(tmp_path / "backbone"))
    assert [list(ids) for ids in texts(["A bc"])] == [[5, 6, 7]]

    model = ours("text_classifier")
    write_preset(model, tmp_path / "classifier", tokenizer)
    got = models.BertTextClassifier.from_preset(str(tmp_path / "classifier"))
    assert difference(model(INPUTS), got(INPUTS)) < 2e-5
    assert got.preprocessor.sequence_length == 12
    assert got.predict(["a b", "bc"], verbose=0).shape == (2, 3)

    model = ours("pretrainer")
    write_preset(model, tmp_path / "masked_lm")
    got = models.BertMaskedLM.from_preset(str(tmp_path / "masked_lm"))
    inputs = INPUTS | POSITIONS
    assert difference(model(inputs)["masked_lm"], got(inputs)) < 1e-3


def test_what_is_lost_is_named(tmp_path):
    assert write_preset(ours("backbone"), tmp_path / "0") == ()
    model = ours(
        "pretrainer",
        activation="gelu",
        layer_norm_epsilon=1e-5,
        attention_dropout=0.3,
        initializer_range=0.05,
    )
    tokenizer = ReferenceTokenizer(TOKENS, split_on_cjk=False)
    lost = write_preset(model, tmp_path / "1", tokenizer)
    assert [sentence.split(":")[0] for sentence in lost] == [
        "activation",
        "layer_norm_epsilon",
        "attention_dropout",
        "initializer_range",
        "next_sentence_head",
        "masked_lm_head",
        "tokenizer",
        "split_on_cjk",
    ]


def test_what_kerashub_has_no_class_for_is_refused(tmp_path):
    write, path = write_preset, tmp_path / "preset"
    with pytest.raises(ValueError, match="no model for a BertTokenClassifier"):
        write(ours("token_classifier"), path)
    with pytest.raises(ValueError, match="Expected a model with GELU; this one has re"):
        write(ours("backbone", activation="relu"), path)
    with pytest.raises(ValueError, match="Expected a BertBackbone, .* got Dense"):
        write(keras.layers.Dense(2), path)
    vocabulary = Vocabulary(["<pad>", *TOKENS[1:]], pad_token="<pad>")
    with pytest.raises(ValueError, match=r"Expected pad_token to be \[PAD\]"):
        write(ours("backbone"), path, ReferenceTokenizer(vocabulary))
    with pytest.raises(ValueError, match="at most 9 tokens"):
        write(ours("backbone"), path, ReferenceTokenizer([*TOKENS, "more"]))
    assert not path.exists()
    path.mkdir()
    with pytest.raises(FileExistsError, match="does not exist yet"):
        write(ours("backbone"), path)
    write(ours("backbone"), path, overwrite=True)
    assert kerashub.is_checkpoint(path)
    assert [p.name for p in tmp_path.iterdir()] == ["preset"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    path = tmp_path_factory.mktemp("kerashub") / "preset"
    write_preset(ours("text_classifier"), path)
    return path


@pytest.fixture
def copy(preset, tmp_path):
    return shutil.copytree(preset, tmp_path / "copy")


def test_damaged_presets_are_refused(copy):
    read = kerashub.read_checkpoint
    weights = copy / "model.weights.h5"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="Expected a whole HDF5 file in"):
        read(copy)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="Expected weights in"):
        read(copy)
    (copy / "model.weights.json").write_text("{}")
    with pytest.raises(ValueError, match="spreads them over several files"):
        read(copy)
    weights.write_bytes(whole)
    (copy / "task.weights.h5").unlink()
    with pytest.warns(UserWarning, match="no weights for classifier"):
        build(read(copy))
    (copy / "task.json").write_text("{")
    with pytest.raises(ValueError, match="Expected JSON in"):
        read(copy)


def test_configs_of_something_else_are_refused(copy, tmp_path):
    config = copy / "config.json"
    change_json(config, lambda stored: stored["config"].pop("hidden_dim"))
    with pytest.raises(ValueError, match="Expected hidden_dim in"):
        kerashub.read_checkpoint(copy)
    change_json(
        config, lambda stored: stored.update(registered_name="keras_hub>GPT2Backbone")
    )
    assert not kerashub.is_checkpoint(copy)
    with pytest.raises(ValueError, match="it says .keras_hub>GPT2Backbone"):
        kerashub.read_checkpoint(copy)
    config.write_text("[]")
    assert not kerashub.is_checkpoint(copy)
    assert not kerashub.is_checkpoint(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        kerashub.read_checkpoint(tmp_path / "nowhere")


def test_a_tensor_too_many_or_in_another_file_is_refused(copy, tmp_path):
    with h5py.File(copy / "model.weights.h5", "r+") as file:
        file["layers/adapter/vars/0"] = np.zeros(3)
    with pytest.raises(
        ValueError, match="have no place in it: model.weights.h5/layers"
    ):
        loaded(copy)
    with h5py.File(copy / "model.weights.h5", "r+") as file:
        del file["layers/adapter"]
        del file["layers/dense/vars/1"]
        (tmp_path / "secret").write_bytes(bytes(64))
        file.create_dataset(
            "layers/dense/vars/1",
            (16,),
            "float32",
            external=[(str(tmp_path / "secret"), 0, 64)],
        )
    with pytest.raises(ValueError, match="it lies in another file"):
        loaded(copy)


def test_quantised_weights_are_refused(tmp_path):
    backbone = theirs("backbone")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the layers that have nothing to quantise
        backbone.quantize("int8")
    backbone.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="they are quantised"):
        kerashub.read_checkpoint(tmp_path)
