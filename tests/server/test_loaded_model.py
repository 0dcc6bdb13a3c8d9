"""A SavedModel in memory: what it takes, what it refuses, other makers' too."""

import numpy as np
import pytest
import tensorflow as tf

from kbert.server.loaded_model import LoadedModel


@pytest.fixture(scope="module")
def model(exported):
    return LoadedModel(exported("pretrained"))


def test_what_it_knows_of_itself(model):
    assert (model.name, model.version) == ("pretrained", 1)
    assert model.card["task"] == "pretraining"
    assert model.signatures["serving_default"].name == "fill_mask"
    assert model.is_splittable


def test_defaults_are_filled_in(model):
    assert model.call("fill_mask", {"text": ["[MASK]"]})["tokens"].shape == (1, 1, 5)
    inputs = {"text": ["[MASK]", b"[MASK]"], "k": 2}
    assert model.call("fill_mask", inputs)["tokens"].shape == (2, 1, 2)


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("no", {}, r"Expected a signature out of serving_default, fill_mask, .*'no'"),
        ("embed", {}, r"Expected the input 'text' of embed"),
        (
            "embed",
            {"text": ["a"], "x": 1},
            r"Expected the inputs text of embed; got 'x'",
        ),
        ("embed", {"text": []}, r"at least one text for embed; got none"),
        ("embed", {"text": "a"}, r"Expected string \(B,\) for 'text'; got 0 axes"),
        ("embed", {"text": [["a"]]}, r"for 'text'; got 2 axes"),
        ("embed", {"text": [["a"], ["b", "c"]]}, r"lists of different lengths"),
        ("embed", {"text": ["a", 3]}, r"Expected string \(B,\) for 'text'; got 3"),
        ("embed", {"text": [None]}, r"for 'text'; got null"),
        ("embed", {"text": [{"a": 1}]}, r"for 'text'; got \{\"a\": 1\}"),
        ("fill_mask", {"text": ["a"], "k": 1.5}, r"int32 scalar for 'k'; got 1.5"),
        ("fill_mask", {"text": ["a"], "k": "1"}, r"int32 scalar for 'k'; got \"1\""),
        ("fill_mask", {"text": ["a"], "k": True}, r"for 'k'; got true"),
        ("fill_mask", {"text": ["a"], "k": float("nan")}, r"for 'k'; got NaN"),
        ("fill_mask", {"text": ["a"], "k": 2**40}, r"number out of its range"),
        ("fill_mask", {"text": ["a"], "k": 0}, r"k must be at least 1"),
        (
            "next_sentence",
            {"text": ["a"], "text_b": ["a", "b"]},
            r"Expected inputs of one length; text has 1, text_b has 2",
        ),
    ],
)
def test_what_it_refuses(model, name, inputs, message):
    with pytest.raises(ValueError, match=message):
        model.call(name, inputs)


def test_halves_of_surrogate_pairs(model):
    outputs = model.call("tokenize", {"text": ["가\ud800나"]})
    assert outputs["num_tokens"].tolist() == [2]  # one word: the half is deleted
    assert outputs["ends"].tolist() == [[1, 3]]


def test_other_makers_models(tmp_path):
    class Adder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, "x")])
        def __call__(self, x):
            return {"sum": tf.reduce_sum(x, axis=1)}

    adder = Adder()
    tf.saved_model.save(adder, str(tmp_path / "adder" / "4"), adder.__call__)
    model = LoadedModel(tmp_path / "adder" / "4")
    assert (model.name, model.version, model.card) == ("adder", 4, {})
    assert not model.is_splittable
    answer = model.call("serving_default", {"x": [[1, 2.5], [3, 4]]})
    np.testing.assert_allclose(answer["sum"], [3.5, 7])
    with pytest.raises(ValueError, match=r"Expected float32 \(B, C,\) for 'x'"):
        model.call("serving_default", {"x": [1]})
    model.warm_up(["serving_default"])  # nobody knows what to call it with


def test_no_model_at_all(tmp_path):
    with pytest.raises(OSError, match="SavedModel file does not exist"):
        LoadedModel(tmp_path)
