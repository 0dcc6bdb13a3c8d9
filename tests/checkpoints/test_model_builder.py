"""`build`: what a checkpoint has goes where it belongs, and the rest is said."""

import dataclasses
import warnings
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
import pytest

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.load_and_save import load, save
from kbert.checkpoints.model_builder import (
    build,
    variables_of,
)
from kbert.checkpoints.weight_maps import HUGGINGFACE_HEADS, huggingface_backbone
from kbert.checkpoints.weight_transfer import extract
from kbert.config import BertConfig
from kbert.models.backbone import BertBackbone
from kbert.registry import HEADS, KINDS, kind_of, loaded

CONFIG = BertConfig(8, 2, 2, 16, 24, max_sequence_length=12)
ROWS = {
    head: huggingface_backbone(2) + rows for head, rows in HUGGINGFACE_HEADS.items()
}
ARGUMENTS = {
    "text_classifier": {"num_classes": 3},
    "token_classifier": {"num_classes": 5},
}


def made(head):
    backbone = BertBackbone(**CONFIG.arguments())
    model = backbone
    if head != "backbone":
        model = loaded(KINDS[head].model)(backbone, **ARGUMENTS.get(head, {}))
    for i, variable in enumerate(variables_of(model).values()):
        variable.assign(np.random.default_rng(i).normal(size=variable.shape))
    return model


def checkpoint_of(model, **changes):
    """A checkpoint in memory, and its tensors."""
    head = kind_of(model).head
    tensors = extract(variables_of(model), ROWS[head])
    checkpoint = Checkpoint(
        format="Test",
        path=Path("somewhere"),
        config=CONFIG,
        head=head,
        head_arguments=ARGUMENTS.get(head, {}),
        names=tensors.keys(),
        read=tensors.__getitem__,
        rows=ROWS,
        ignored=lambda name: None,
    )
    return dataclasses.replace(checkpoint, **changes), tensors


def array(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


def values(model):
    return {k: keras.ops.convert_to_numpy(v) for k, v in variables_of(model).items()}


def assert_same(one, other, but=()):
    one, other = values(one), values(other)
    assert set(one) == set(other)
    for path in one:
        if not path.startswith(tuple(but)):
            assert np.array_equal(one[path], other[path]), path


def test_a_class_and_the_layers_of_its_head_for_every_head():
    assert tuple(KINDS) == HEADS == tuple(HUGGINGFACE_HEADS)


@pytest.mark.parametrize("head", HEADS)
def test_everything_is_filled(head):
    model = made(head)
    checkpoint, tensors = checkpoint_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again, report = build(checkpoint)
    assert type(again) is type(model)
    assert_same(model, again)
    assert (report.format, report.path, report.head) == (
        "Test",
        Path("somewhere"),
        head,
    )
    assert report.used == tuple(sorted(tensors))
    assert report.newly_initialised == ()
    assert report.ignored == {}
    assert set(report.filled) == set(report.shapes) == set(values(model))
    assert report.filled["encoder_block_1/attention/query_key_value/bias"] == tuple(
        f"bert.encoder.layer.1.attention.self.{part}.bias"
        for part in ("query", "key", "value")
    )
    assert report.shapes["encoder_block_0/intermediate/kernel"] == (16, 24)


def test_the_report_in_words():
    checkpoint, tensors = checkpoint_of(made("pretrainer"))
    for name in ("cls.seq_relationship.weight", "cls.seq_relationship.bias"):
        del tensors[name]
    tensors["global_step"] = np.zeros((), "int64")
    checkpoint = dataclasses.replace(
        checkpoint, ignored=lambda name: "a counter" if name == "global_step" else None
    )
    with pytest.warns(
        UserWarning, match="somewhere has no weights for next_sentence_head, newly"
    ):
        model, report = build(checkpoint)
    size = sum(value.size for value in values(model).values()) - 34
    assert str(report).splitlines() == [
        "pretrainer, from somewhere (Test)",
        f"36 weights filled from {len(tensors) - 1} tensors: {size:,} parameters",
        "newly initialised: next_sentence_head/dense/kernel (16, 2)",
        "newly initialised: next_sentence_head/dense/bias (2,)",
        "ignored: global_step (a counter)",
    ]


@pytest.mark.parametrize("head", [h for h in HEADS if h != "backbone"])
def test_the_backbone_alone(head):
    model = made(head)
    checkpoint, tensors = checkpoint_of(model)
    backbone, report = build(checkpoint, "backbone")
    assert type(backbone) is BertBackbone
    assert_same(model.backbone, backbone)
    heads = {n for row in HUGGINGFACE_HEADS[head] for n in row.theirs}
    assert report.ignored == dict.fromkeys(heads, "of a head that was not asked for")
    assert heads < set(tensors)


def test_another_head_is_new_even_if_its_tensors_have_the_same_names():
    model = made("text_classifier")
    checkpoint, _ = checkpoint_of(model)
    with pytest.warns(UserWarning, match="no weights for answer_span, newly"):
        answerer, report = build(checkpoint, "question_answerer")
    assert_same(model.backbone, answerer.backbone)
    assert report.newly_initialised == ("answer_span/kernel", "answer_span/bias")
    message = "a number of classes in somewhere; .*kbert.BertTokenClassifier"
    with pytest.raises(ValueError, match=message):
        build(checkpoint, "token_classifier")


def test_what_is_new_is_drawn_as_a_new_models():
    keras.utils.set_random_seed(0)
    model = made("backbone")
    checkpoint, tensors = checkpoint_of(model, head="question_answerer")
    del tensors["bert.pooler.dense.weight"], tensors["bert.pooler.dense.bias"]
    # Nobody reads the pooler of this model: nothing is said of it, but it is drawn.
    with pytest.warns(UserWarning, match="no weights for answer_span, newly"):
        answerer, report = build(checkpoint)
    assert "pooler/kernel" not in report.shapes
    found = values(answerer)
    for path in ("answer_span/kernel", "pooler/kernel"):
        assert 0.008 < found[path].std() < 0.03
        assert np.abs(found[path]).max() <= 0.04 + 1e-7
    assert not found["answer_span/bias"].any()


def test_a_missing_pooler_is_new_and_said():
    model = made("pretrainer")
    checkpoint, tensors = checkpoint_of(model)
    del tensors["bert.pooler.dense.weight"], tensors["bert.pooler.dense.bias"]
    with pytest.warns(UserWarning, match="no weights for pooler, newly initialised"):
        again, report = build(checkpoint)
    assert report.newly_initialised == ("pooler/kernel", "pooler/bias")
    assert_same(model, again, but=["pooler/"])


def test_a_format_without_a_table_for_the_head():
    model = made("backbone")
    checkpoint, _ = checkpoint_of(model, rows={"backbone": ROWS["backbone"]})
    with pytest.warns(UserWarning, match="no weights for masked_lm_head and next_s"):
        pretrainer, _ = build(checkpoint, "pretrainer")
    assert_same(model, pretrainer.backbone)


@pytest.mark.parametrize(
    "name",
    [
        "bert.encoder.layer.1.output.LayerNorm.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.pooler.dense.bias",  # half a pooler is a damaged one
        "cls.predictions.transform.dense.bias",  # and half a head
        "cls.seq_relationship.weight",
    ],
)
def test_a_missing_weight_is_named(name):
    checkpoint, tensors = checkpoint_of(made("pretrainer"))
    del tensors[name]
    with pytest.raises(ValueError, match=f"somewhere: .*1 are missing: {name}"):
        build(checkpoint)


def test_an_unknown_tensor_is_named():
    checkpoint, tensors = checkpoint_of(made("pretrainer"))
    tensors["crf.transitions"] = np.zeros((3, 3))
    with pytest.raises(ValueError, match="1 have no place in it: crf.transitions"):
        build(checkpoint)
    with pytest.raises(ValueError, match="1 have no place in it: crf.transitions"):
        build(checkpoint, "backbone")


def test_a_head_that_kbert_does_not_have():
    model = made("backbone")
    checkpoint, tensors = checkpoint_of(model, head="BertForDoors")
    tensors["door.weight"] = np.zeros(3)
    checkpoint = dataclasses.replace(checkpoint, ignored={"door.weight": "-"}.get)
    message = "one of the heads backbone, .*; somewhere is of BertForDoors.*load_backb"
    with pytest.raises(ValueError, match=message):
        build(checkpoint)
    backbone, _ = build(checkpoint, "backbone")
    assert_same(model, backbone)


@pytest.mark.parametrize("head", ARGUMENTS)
@pytest.mark.parametrize("arguments", [{}, {"num_classes": None, "dropout": 0.3}])
def test_classes_are_counted_where_nothing_says_how_many(head, arguments):
    model = made(head)
    checkpoint, _ = checkpoint_of(model, head_arguments=arguments)
    again, _ = build(checkpoint)
    assert again.num_classes == ARGUMENTS[head]["num_classes"]
    assert again.dropout == arguments.get("dropout", 0.1)
    assert_same(model, again)


def test_classes_other_than_the_settings_say():
    checkpoint, _ = checkpoint_of(
        made("text_classifier"), head_arguments={"num_classes": 2}
    )
    message = r"Expected shape \(16, 2\) for classifier/kernel; .* gives \(16, 3\)"
    with pytest.raises(ValueError, match=message):
        build(checkpoint)


@pytest.mark.parametrize("dtype", ["float16", "float64", ml_dtypes.bfloat16])
def test_other_dtypes_are_cast(dtype):
    model = made("backbone")
    checkpoint, tensors = checkpoint_of(model)
    tensors.update({name: t.astype(dtype) for name, t in tensors.items()})
    again, _ = build(checkpoint)
    for path, value in values(again).items():
        assert value.dtype == "float32"
        assert np.array_equal(value, values(model)[path].astype(dtype).astype("f4"))


def test_dtype_policy():
    checkpoint, _ = checkpoint_of(made("question_answerer"))
    model, _ = build(checkpoint, dtype="mixed_bfloat16")
    assert model.backbone.policy.name == "mixed_bfloat16"
    assert model.answer_span.compute_dtype == "bfloat16"
    assert {v.dtype for v in variables_of(model).values()} == {"float32"}


@pytest.mark.parametrize(
    "value, message",
    [
        (
            np.full((16,), np.nan, "f4"),
            "finite numbers in bert.*some are infinite",
        ),
        (np.ones((16,), "int8"), "floating-point numbers in bert.*; they are int8"),
    ],
)
def test_numbers_that_are_none(value, message):
    checkpoint, tensors = checkpoint_of(made("backbone"))
    tensors["bert.embeddings.LayerNorm.bias"] = value
    with pytest.raises(ValueError, match=message):
        build(checkpoint)


def test_one_tensor_at_a_time():
    checkpoint, tensors = checkpoint_of(made("pretrainer"))
    read = []
    checkpoint = dataclasses.replace(
        checkpoint, read=lambda name: read.append(name) or tensors[name]
    )
    build(checkpoint)
    assert sorted(read) == sorted(tensors)  # each once
    del tensors["bert.encoder.layer.0.output.dense.bias"]
    read.clear()
    with pytest.raises(ValueError, match="1 are missing"):
        build(checkpoint)
    assert read == []  # what is wrong is known before anything is read


def test_only_our_models():
    with pytest.raises(ValueError, match="Expected a BertBackbone, .*got Sequential"):
        kind_of(keras.Sequential())


def with_lora(model):
    """`model` itself, with adapters that are not zeros."""
    backbone = getattr(model, "backbone", model)
    backbone.enable_lora(2, alpha=3)
    for i, dense in enumerate(backbone.dense_layers):
        b = dense.lora_kernel_b
        b.assign(np.random.default_rng(i).normal(size=b.shape))
    return model


@pytest.mark.parametrize("head", KINDS)
def test_what_is_saved_of_a_model_with_lora_computes_the_same(head, tmp_path):
    model = with_lora(made(head))
    loaded = load(save(model, tmp_path / "merged"))
    assert len(loaded.trainable_weights) == len(loaded.weights)
    assert set(values(loaded)) == set(values(model))
    inputs = {
        "token_ids": np.array([[2, 5, 6, 3, 0], [2, 5, 3, 7, 3]]),
        "segment_ids": np.array([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]),
        "padding_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]),
        "mask_positions": np.array([[1, 2], [3, 0]]),
    }
    inputs = {name: inputs[name] for name in model.input}
    if model.input["token_ids"].ndim == 3:  # one question of two choices
        inputs = {name: x[None] for name, x in inputs.items()}
    for ours, theirs in zip(
        keras.tree.flatten(model(inputs)),
        keras.tree.flatten(loaded(inputs)),
        strict=True,
    ):
        np.testing.assert_allclose(array(ours), array(theirs), rtol=1e-5, atol=1e-5)


def test_kernels_are_merged_in_float32(tmp_path):
    backbone = with_lora(BertBackbone(**CONFIG.arguments(), dtype="mixed_bfloat16"))
    merged = values(load(save(backbone, tmp_path / "merged")))
    for block, own in enumerate(backbone.blocks):
        dense = own.intermediate
        a, b = array(dense.lora_kernel_a), array(dense.lora_kernel_b)
        plain = [w for w in dense.weights if w.path.endswith("/kernel")]
        expected = array(plain[0]) + 1.5 * (a @ b)
        found = merged[f"encoder_block_{block}/intermediate/kernel"]
        np.testing.assert_allclose(found, expected, atol=1e-6)
