"""Vectors, pieces and attention in the graph equal `extract_features`."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_models import encoder

import kbert
from kbert.export.servable import Servable
from kbert.export.served_encoder import ServedEncoder
from kbert.export.served_model import ServedModel
from kbert.tasks.feature_extraction import extract_features

TEXTS = ("영화가 좋다", "", "the movie 😀 영화 " * 3)

NAMED = ("name", Path("directory"))  # of a servable


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    directory = encoder(tmp_path_factory.mktemp("model") / "m")
    return kbert.load(directory), kbert.load_tokenizer(directory)


@pytest.fixture(scope="module")
def functions(loaded):
    return ServedModel(Servable(*NAMED, *loaded)).functions()


def test_default_is_embed(functions):
    default = functions["serving_default"](tf.constant(TEXTS))
    assert set(default) == {"embedding", "truncated"}


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("normalize", [False, True])
def test_embedding(loaded, pooling, normalize):
    length = loaded[0].max_sequence_length
    served = ServedEncoder(*loaded, length, 1, pooling, normalize)
    outputs = served.embed(tf.constant(TEXTS))
    for vector, features in zip(
        outputs["embedding"].numpy(), extract_features(*loaded, TEXTS), strict=True
    ):
        states = features["hidden_states"][0]
        expected = states.mean(axis=0) if pooling == "mean" else states[0]
        if normalize:
            expected = expected / np.linalg.norm(expected)
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_pooling_must_be_known(loaded):
    with pytest.raises(ValueError, match="mean, cls, .* or lasttoken; got 'median'"):
        ServedEncoder(*loaded, 16, pooling="median")


def test_tokens_are_slices(loaded, functions):
    outputs = {
        k: v.numpy() for k, v in functions["tokenize"](tf.constant(TEXTS)).items()
    }
    ids, starts, ends = loaded[1].tokenize_with_offsets(list(TEXTS))
    for i in range(len(TEXTS)):
        count = outputs["num_tokens"][i]
        assert outputs["token_ids"][i, :count].tolist() == ids[i].numpy().tolist()
        assert outputs["starts"][i, :count].tolist() == starts[i].numpy().tolist()
        assert outputs["ends"][i, :count].tolist() == ends[i].numpy().tolist()
        tokens = [token.decode() for token in outputs["tokens"][i, :count]]
        vocabulary = loaded[1].vocabulary
        assert tokens == [vocabulary.id_to_token(int(id)) for id in ids[i]]
        assert set(outputs["token_ids"][i, count:]) <= {-1}


def test_attention_maps(loaded, functions):
    layers, heads = [1, 0, 1], [0, 1, 1]
    outputs = functions["attention"](
        tf.constant(TEXTS), tf.constant(layers), tf.constant(heads)
    )
    expected = extract_features(*loaded, TEXTS, attention=True)
    for i, features in enumerate(expected):
        count = outputs["num_tokens"].numpy()[i]
        assert count == len(features["tokens"])
        tokens = [token.decode() for token in outputs["tokens"].numpy()[i, :count]]
        assert tokens == features["tokens"]
        weights = outputs["attention"].numpy()[i]
        np.testing.assert_allclose(
            weights[:count, :count],
            features["attentions"][layers[i], heads[i]],
            atol=1e-6,
        )
        assert weights[count:].sum() == weights[:, count:].sum() == 0


@pytest.mark.parametrize(("layer", "head"), [(2, 0), (-1, 0), (0, 2)])
def test_layers_and_heads_that_are_not_there(functions, layer, head):
    name = "head" if head else "layer"
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"{name} must be from 0 to 1"
    ):
        functions["attention"](tf.constant(TEXTS), layer, head)


def test_long_text_is_told(loaded, functions):
    text = "영화 " * 500
    outputs = functions["embed"](tf.constant([text, "영화"]))
    assert outputs["truncated"].numpy().tolist() == [True, False]
    assert functions["tokenize"](tf.constant([text]))["num_tokens"].numpy() == [500]
