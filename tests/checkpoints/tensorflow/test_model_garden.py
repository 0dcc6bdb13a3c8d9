"""TensorFlow 2 Model Garden's checkpoints give the numbers of its own classes.

tests/data/model_garden was written by tensorflow/models' classes, see
make_model_garden_golden.py; the layout of TF 2.0, which they no longer write, is built
here from plain objects.
"""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.checkpoints.formats import find_checkpoint
from kbert.checkpoints.model_builder import build
from kbert.checkpoints.tensorflow import google, model_garden
from kbert.checkpoints.tensorflow.tensor_bundle import TensorBundle, write_tensors
from kbert.registry import kind_of

DATA = Path(__file__).parents[2] / "data" / "model_garden"
BACKBONE_INPUTS = ("token_ids", "segment_ids", "padding_mask")
HEADS = {
    "encoder_functional": "backbone",
    "encoder_v2": "backbone",
    "pretrainer_v1": "pretrainer",
    "pretrainer_items": "pretrainer",
    "pretrainer_trainer": "pretrainer",
    "classifier": "text_classifier",
    "classifier_own_pooler": "text_classifier",
    "token_classifier": "token_classifier",
    "span_labeler": "question_answerer",
}
OWN_POOLER = ("pretrainer_items", "pretrainer_trainer", "classifier_own_pooler")


def golden(name):
    arrays = np.load(DATA / "numbers.npz")
    inputs = {key: arrays[key] for key in BACKBONE_INPUTS}
    start = f"{name}/"
    numbers = {
        key.removeprefix(start): arrays[key] for key in arrays if key.startswith(start)
    }
    return inputs, arrays["mask_positions"], numbers


def assert_near(actual, expected):
    actual = keras.ops.convert_to_numpy(actual)
    assert actual.shape == expected.shape
    assert expected.std() > 0.1  # else nearness would mean nothing
    assert np.abs(actual - expected).max() <= 2e-5


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.filterwarnings("ignore:.*no weights for next_sentence_head")
def test_numbers(name):
    inputs, positions, expected = golden(name)
    assert not google.is_checkpoint(DATA / name)
    checkpoint = find_checkpoint(DATA / name)
    assert checkpoint.format == "TensorFlow 2 Model Garden"
    model, report = build(checkpoint)
    assert kind_of(model).head == HEADS[name]
    backbone = getattr(model, "backbone", model)
    outputs = dict(backbone(inputs))
    if model is not backbone:
        more = {"mask_positions": positions} if HEADS[name] == "pretrainer" else {}
        answer = model(inputs | more)
        outputs |= answer if isinstance(answer, dict) else {"logits": answer}
    if name in OWN_POOLER:  # Model Garden's encoder has another one, which is not read
        del expected["pooled_output"]
    if name == "pretrainer_items":  # whose file has no logits layer of next sentence
        del expected["next_sentence"]
        assert report.newly_initialised == (
            "next_sentence_head/dense/kernel",
            "next_sentence_head/dense/bias",
        )
    else:
        assert report.newly_initialised == ()
    for key, value in expected.items():
        assert_near(outputs[key], value)


def test_what_is_ignored():
    _, report = build(find_checkpoint(DATA / "pretrainer_trainer"))
    reasons = list(report.ignored.values())
    assert reasons.count("the encoder's own pooler, which the head does not read") == 2
    # two for each tensor of the encoder, 3 + 2 + 2 x 16 + 2, and of the heads, 5 + 4
    assert reasons.count("a slot of the optimizer") == 2 * (39 + 9)
    assert {*reasons} <= {
        "the encoder's own pooler, which the head does not read",
        "a slot of the optimizer",
        "a state of the optimizer",
    }


def test_the_key_of_the_token_embedding_depends_on_what_was_saved():
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    keys = TensorBundle(DATA / "pretrainer_items" / "bert_model.ckpt")
    assert f"masked_lm/embedding_table{suffix}" in keys
    assert f"encoder/layer_with_weights-0/embeddings{suffix}" not in keys
    checkpoint = find_checkpoint(DATA / "pretrainer_items")
    table = checkpoint.read("encoder/_embedding_layer/embeddings")
    assert np.array_equal(table, keys[f"masked_lm/embedding_table{suffix}"])


def test_sizes_without_a_config(tmp_path):
    for name in ("encoder_functional", "encoder_v2"):
        shutil.copytree(DATA / name, tmp_path / name)
        config = model_garden.read_checkpoint(tmp_path / name).config
        (tmp_path / name / "bert_config.json").unlink()
        with pytest.warns(UserWarning, match="no bert_config.json: sizes are taken"):
            inferred = model_garden.read_checkpoint(tmp_path / name).config
        assert inferred == config


def test_a_config_of_another_model(tmp_path):
    shutil.copytree(DATA / "classifier", tmp_path / "model")
    file = tmp_path / "model" / "bert_config.json"
    config = json.loads(file.read_text("utf-8")) | {"num_attention_heads": 4}
    file.write_text(json.dumps(config), "utf-8")
    message = "Expected 2 layers with 2 heads.*bert_config.json says 2 with 4"
    with pytest.raises(ValueError, match=message):
        model_garden.read_checkpoint(tmp_path / "model")


def test_no_data(tmp_path):
    shutil.copytree(DATA / "classifier", tmp_path / "model")
    (tmp_path / "model" / "bert_model.ckpt.data-00000-of-00001").unlink()
    assert model_garden.is_checkpoint(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="is missing: half a download"):
        model_garden.read_checkpoint(tmp_path / "model")


def test_not_a_checkpoint(tmp_path):
    assert not model_garden.is_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Expected an object-based.*\*.index"):
        model_garden.read_checkpoint(tmp_path)
    write_tensors({"bert/x": np.zeros(2, "float32")}, tmp_path / "bert_model.ckpt")
    assert not model_garden.is_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="it is one of TF1"):
        model_garden.read_checkpoint(tmp_path)


def test_another_architecture(tmp_path):
    layer = tree({"dense/kernel": np.zeros((2, 2), "float32")})
    tf.train.Checkpoint(model=layer).write(str(tmp_path / "ckpt"))
    with pytest.raises(
        ValueError, match=r"Expected a BERT encoder.*\(model, …\) is no"
    ):
        model_garden.read_checkpoint(tmp_path)


def tree(weights, **shared):
    """Objects with the attributes that the paths of the weights name."""
    root = tf.train.Checkpoint()
    for path, value in weights.items():
        node, (*parents, last) = root, path.split("/")
        for name in parents:
            if not hasattr(node, name):
                setattr(node, name, tf.train.Checkpoint())
            node = getattr(node, name)
        setattr(node, last, tf.Variable(value))
    for name, node in shared.items():
        setattr(root, name, node)
    return root


def weights_of_tf_2_0():
    """The paths and shapes of TF 2.0's `TransformerEncoder` with V=17, D=8, H=2, I=24.

    From tensorflow/models at the time: official/nlp/modeling/networks/
    transformer_encoder.py (`_self_setattr_tracking = False`: nothing but numbered
    layers), layers/transformer.py (`_attention_output_dense` beside
    `_attention_layer`), layers/attention.py and layers/dense_einsum.py (kernels (D, H,
    D/H), (H, D/H, D)), networks/masked_lm.py and networks/classification.py.
    """
    shapes = {
        "layer_with_weights-0/embeddings": (17, 8),
        "layer_with_weights-1/embeddings": (12, 8),
        "layer_with_weights-2/embeddings": (2, 8),
        "layer_with_weights-3/gamma": (8,),
        "layer_with_weights-3/beta": (8,),
        "layer_with_weights-6/kernel": (8, 8),
        "layer_with_weights-6/bias": (8,),
    }
    for block in ("layer_with_weights-4", "layer_with_weights-5"):
        for name in ("query", "key", "value"):
            shapes[f"{block}/_attention_layer/_{name}_dense/kernel"] = (8, 2, 4)
            shapes[f"{block}/_attention_layer/_{name}_dense/bias"] = (2, 4)
        shapes |= {
            f"{block}/_attention_output_dense/kernel": (2, 4, 8),
            f"{block}/_attention_output_dense/bias": (8,),
            f"{block}/_attention_layer_norm/gamma": (8,),
            f"{block}/_attention_layer_norm/beta": (8,),
            f"{block}/_intermediate_dense/kernel": (8, 24),
            f"{block}/_intermediate_dense/bias": (24,),
            f"{block}/_output_dense/kernel": (24, 8),
            f"{block}/_output_dense/bias": (8,),
            f"{block}/_output_layer_norm/gamma": (8,),
            f"{block}/_output_layer_norm/beta": (8,),
        }
    rng = np.random.default_rng(0)
    return {path: rng.normal(size=s).astype("float32") for path, s in shapes.items()}


def assert_has_the_weights(backbone, weights):
    """A few of each kind, where their layouts differ."""
    names = ("query", "key", "value")
    start = "layer_with_weights-5"
    qkv = [weights[f"{start}/_attention_layer/_{n}_dense/kernel"] for n in names]
    attention = backbone.blocks[1].attention
    for actual, expected in (
        (backbone.embeddings.token_embedding.embeddings, "layer_with_weights-0"),
        (
            attention.query_key_value.kernel,
            np.concatenate([kernel.reshape(8, 8) for kernel in qkv], axis=1),
        ),
        (
            attention.output_projection.kernel,
            weights[f"{start}/_attention_output_dense/kernel"].reshape(8, 8),
        ),
        (backbone.blocks[1].output_dense.bias, weights[f"{start}/_output_dense/bias"]),
        (backbone.pooler.kernel, weights["layer_with_weights-6/kernel"]),
    ):
        if isinstance(expected, str):
            expected = weights[f"{expected}/embeddings"]
        assert np.array_equal(keras.ops.convert_to_numpy(actual), expected)


@pytest.mark.filterwarnings("ignore:.*no bert_config.json")
def test_an_encoder_of_tf_2_0(tmp_path):
    weights = weights_of_tf_2_0()
    tf.train.Checkpoint(model=tree(weights)).write(str(tmp_path / "ckpt"))
    name = "model/layer_with_weights-4/_attention_output_dense/kernel"
    assert f"{name}/.ATTRIBUTES/VARIABLE_VALUE" in TensorBundle(tmp_path / "ckpt")
    model, report = build(model_garden.read_checkpoint(tmp_path))
    assert kind_of(model).head == "backbone"
    assert_has_the_weights(model, weights)
    assert not report.newly_initialised
    assert not report.ignored


@pytest.mark.filterwarnings("ignore:.*no bert_config.json")
def test_a_pretrainer_of_tf_2_0(tmp_path):
    weights = weights_of_tf_2_0()
    encoder = tree(weights)
    rng = np.random.default_rng(1)
    mlm = {
        "layer_with_weights-0/kernel": (8, 8),
        "layer_with_weights-0/bias": (8,),
        "layer_with_weights-1/gamma": (8,),
        "layer_with_weights-1/beta": (8,),
        "layer_with_weights-2/bias": (17,),
    }
    nsp = {"layer_with_weights-0/kernel": (8, 2), "layer_with_weights-0/bias": (2,)}
    heads = [
        {path: rng.normal(size=shape).astype("float32") for path, shape in head.items()}
        for head in (nsp, mlm)
    ]
    root = tf.train.Checkpoint()
    for i, layer in enumerate((encoder, *map(tree, heads))):
        setattr(root, f"layer_with_weights-{i}", layer)
    tf.train.Checkpoint(model=root).write(str(tmp_path / "ckpt"))
    model, report = build(model_garden.read_checkpoint(tmp_path))
    assert kind_of(model).head == "pretrainer"
    assert_has_the_weights(model.backbone, weights)
    for actual, expected in (
        (
            model.next_sentence_head.dense.kernel,
            heads[0]["layer_with_weights-0/kernel"],
        ),
        (
            model.masked_lm_head.transform.kernel,
            heads[1]["layer_with_weights-0/kernel"],
        ),
        (model.masked_lm_head.output_bias, heads[1]["layer_with_weights-2/bias"]),
    ):
        assert np.array_equal(keras.ops.convert_to_numpy(actual), expected)
    assert not report.newly_initialised


@pytest.mark.filterwarnings("ignore:.*no bert_config.json")
def test_what_stands_beside_the_encoder_is_left_out(tmp_path):
    weights = weights_of_tf_2_0()
    crf = tf.Module()
    crf.transitions = tf.Variable(np.ones((5, 5), "float32"))
    tf.train.Checkpoint(model=tree(weights), crf=crf).write(str(tmp_path / "ckpt"))
    checkpoint = model_garden.read_checkpoint(tmp_path)
    name = "crf/transitions/.ATTRIBUTES/VARIABLE_VALUE"
    with pytest.raises(ValueError, match=rf"place in it: {name}.*load_backbone\("):
        build(checkpoint)
    with pytest.warns(UserWarning, match=f"stands beside the encoder, {name}"):
        model, report = build(checkpoint, "backbone")
    assert_has_the_weights(model, weights)
    assert list(report.ignored) == [name]


def test_two_encoders_are_both_named(tmp_path):
    one, other = (tree(weights_of_tf_2_0()) for _ in range(2))
    tf.train.Checkpoint(query=one, passage=other).write(str(tmp_path / "ckpt"))
    with pytest.raises(
        ValueError, match=r"there are 2, with the tables passage/lay.* and query/layer"
    ):
        model_garden.read_checkpoint(tmp_path)
