"""Models cut to other sizes: the numbers by formula, the settings, what trains."""

import keras
import numpy as np
import pytest

from kbert.layers.attention import additive_mask
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.surgery import (
    all_weights,
    drop_layers,
    freeze,
    head_weights,
    resize_vocabulary,
)
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier

KINDS = ("backbone", "pretrainer", "classifier", "tagger", "answerer")
INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 5, 3, 0, 0], [2, 6, 4, 3, 0, 0, 0, 0]], "i4"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8], "i4"),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 4 + [0] * 4], "i4"),
    "mask_positions": np.array([[1, 4], [2, 0]], "i4"),
}


def made(kind, num_layers=4, dtype=None):
    """Random weights in every variable; the settings are not the defaults."""
    backbone = BertBackbone(
        11,
        num_layers,
        2,
        8,
        12,
        activation="gelu_tanh",
        dropout=0.2,
        attention_dropout=0.3,
        max_sequence_length=9,
        num_segments=3,
        layer_norm_epsilon=1e-6,
        initializer_range=0.05,
        dtype=dtype,
        name="mine",
    )
    model = {
        "backbone": lambda: backbone,
        "pretrainer": lambda: BertPretrainer(backbone, name="p"),
        "classifier": lambda: BertTextClassifier(backbone, 4, 0.3, name="c"),
        "tagger": lambda: BertTokenClassifier(backbone, 4, 0.3, name="t"),
        "answerer": lambda: BertQuestionAnswerer(backbone, name="a"),
    }[kind]()
    for i, weight in enumerate(all_weights(model)):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.5)
    return model


def outputs(model):
    given = model({name: INPUTS[name] for name in model.input})
    given = given if isinstance(given, dict) else {"logits": given}
    return {name: keras.ops.convert_to_numpy(x) for name, x in given.items()}


def by_formula(model, kept):
    """The model's outputs when only some blocks are run, layer by layer."""
    backbone = getattr(model, "backbone", model)
    mask = additive_mask(INPUTS["padding_mask"])
    x = backbone.embeddings(INPUTS["token_ids"], INPUTS["segment_ids"])
    for i in kept:
        x = backbone.blocks[i](x, mask)
    pooled = backbone.pooler(x[:, 0])
    if isinstance(model, BertPretrainer):
        found = {
            "masked_lm": model.masked_lm_head(x, INPUTS["mask_positions"]),
            "next_sentence": model.next_sentence_head(pooled),
        }
    elif isinstance(model, BertQuestionAnswerer):
        ends = model.answer_span(x)
        found = {"start_logits": ends[..., 0], "end_logits": ends[..., 1]}
    elif isinstance(model, BertTokenClassifier):
        found = {"logits": model.classifier(x)}
    elif isinstance(model, BertTextClassifier):
        found = {"logits": model.classifier(pooled)}
    else:
        found = {"sequence_output": x, "pooled_output": pooled}
    return {name: keras.ops.convert_to_numpy(x) for name, x in found.items()}


def assert_near(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "keep, kept", [(2, [0, 1]), (4, [0, 1, 2, 3]), ([1, 3], [1, 3]), ([2], [2])]
)
def test_blocks_that_stay_give_their_numbers(kind, keep, kept):
    model = made(kind)
    before = [keras.ops.convert_to_numpy(weight) for weight in all_weights(model)]
    student = drop_layers(model, keep)
    assert_near(outputs(student), by_formula(model, kept))
    for weight, value in zip(all_weights(model), before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(weight), value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_model_has_the_same_settings(kind):
    model = made(kind, dtype="mixed_bfloat16")
    student = drop_layers(model, [0, 3])
    assert type(student) is type(model)
    assert student.name == model.name
    config, smaller = (getattr(m, "backbone", m).get_config() for m in (model, student))
    assert smaller == config | {"num_layers": 2}
    clone = type(student).from_config(student.get_config())
    assert clone.get_config() == student.get_config()
    if kind != "backbone":
        own, others = student.get_config(), model.get_config()
        assert {k: v for k, v in own.items() if k != "backbone"} == {
            k: v for k, v in others.items() if k != "backbone"
        }
    assert len(student.trainable_weights) == len(student.weights)


def test_the_head_of_a_model():
    names = [
        variable.path.split("/")[-2:] for variable in head_weights(made("backbone"))
    ]
    assert names == []
    names = {variable.path for variable in head_weights(made("classifier"))}
    assert names == {"classifier/kernel", "classifier/bias"}
    assert len(head_weights(made("pretrainer"))) == 7


@pytest.mark.parametrize("keep", [0, 5, -1, [], [4], [-1], [1, 0], [1, 1]])
def test_blocks_that_are_not_there(keep):
    message = "keep must be from 1 to 4, or rising positions from 0 to 3; got"
    with pytest.raises(ValueError, match=message):
        drop_layers(made("backbone"), keep)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [16, 11, 10])
def test_a_table_of_another_size(kind, rows):
    model = made(kind)
    new = resize_vocabulary(model, rows)
    assert type(new) is type(model)
    config, other = (getattr(m, "backbone", m).get_config() for m in (model, new))
    assert other == config | {"vocabulary_size": rows}
    for old, weight in zip(all_weights(model), all_weights(new), strict=True):
        old, value = (keras.ops.convert_to_numpy(w) for w in (old, weight))
        if weight.path.endswith("token_embedding/embeddings"):
            assert value.shape == (rows, 8)
            assert np.array_equal(value[:11], old[:rows])
            fresh = value[11:]
            if rows > 11:  # truncated normal of 0.05
                assert len(np.unique(fresh)) == fresh.size
                assert np.abs(fresh).max() <= 0.1
                assert 0.02 < fresh.std() < 0.07
        elif weight.path.endswith("output_bias"):
            assert np.array_equal(value[:11], old[:rows])
            assert np.array_equal(value[11:], np.zeros(max(0, rows - 11)))
        else:
            assert np.array_equal(value, old)
    before, after = outputs(model), outputs(new)
    for name, values in before.items():
        if name == "masked_lm":
            assert after[name].shape[-1] == rows
            values = values[..., :rows]
        np.testing.assert_allclose(
            after[name][..., : values.shape[-1]], values, atol=1e-6
        )


def test_the_decoder_stays_tied():
    for new in (
        resize_vocabulary(made("pretrainer"), 16),
        drop_layers(made("pretrainer"), 2),
    ):
        embedding = new.backbone.embeddings.token_embedding
        assert new.masked_lm_head.token_embedding is embedding
        before = outputs(new)["masked_lm"]
        table = keras.ops.convert_to_numpy(embedding.embeddings).copy()
        table[-1] += 1  # no text has this token
        embedding.embeddings.assign(table)
        after = outputs(new)["masked_lm"]
        np.testing.assert_allclose(after[..., :-1], before[..., :-1], atol=1e-6)
        assert np.abs(after[..., -1] - before[..., -1]).max() > 0.01


def test_no_rows():
    with pytest.raises(ValueError, match="rows must be at least 1; got 0"):
        resize_vocabulary(made("backbone"), 0)


def test_what_trains_exactly():
    model = made("pretrainer", num_layers=3)
    every = [variable.path for variable in model.weights]
    assert freeze(model, 0, embeddings=False) == every
    heads = [path for path in every if path.startswith(("masked", "next", "pooler"))]
    assert len(heads) == 9  # the pooler's two and the heads' seven

    def of(*names):
        return [path for path in every if path.split("/")[0] in names]

    blocks = [f"encoder_block_{i}" for i in range(3)]
    assert len(of("encoder_block_0")) == 12
    assert set(freeze(model, 2)) == {*heads, *of(blocks[2])}
    assert set(freeze(model)) == set(heads)
    assert set(freeze(model, embeddings=False)) == {*heads, *of("embeddings")}
    assert set(freeze(model, 1)) == {*heads, *of(*blocks[1:])}
    frozen = {variable.path for variable in model.non_trainable_weights}
    assert frozen == set(of("embeddings", blocks[0]))
    assert freeze(model, 0, embeddings=False) == every


def test_a_backbone_and_a_classifier():
    assert freeze(made("backbone")) == ["pooler/kernel", "pooler/bias"]
    classifier = made("classifier")
    trained = ["classifier/kernel", "classifier/bias", "pooler/kernel", "pooler/bias"]
    assert sorted(freeze(classifier)) == sorted(trained)
    # Where no output reads the pooler, it does not train.
    assert freeze(made("tagger")) == ["classifier/kernel", "classifier/bias"]
    assert freeze(made("answerer")) == ["answer_span/kernel", "answer_span/bias"]


def test_what_stands_still_stands_still_in_training():
    model = made("classifier")
    freeze(model, 2)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    inputs = {name: INPUTS[name] for name in model.input}
    before = {w.path: keras.ops.convert_to_numpy(w).copy() for w in model.weights}
    model.fit(inputs, np.ones((2, 4)), epochs=1, verbose=0)
    still = ("embeddings", "encoder_block_0", "encoder_block_1")
    for weight in model.weights:
        same = np.array_equal(keras.ops.convert_to_numpy(weight), before[weight.path])
        assert same == (weight.path.split("/")[0] in still), weight.path


def test_layers_that_cannot_be_frozen():
    for number in (5, -1):
        with pytest.raises(ValueError, match=f"from 0 to 4, the blocks.*got {number}"):
            freeze(made("backbone"), number)
