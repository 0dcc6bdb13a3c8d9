"""Filled masks and next sentences in the graph equal the eager way."""

from pathlib import Path

import numpy as np
import pytest
import small_models
import tensorflow as tf
from small_models import pretrained

import kbert
from kbert.export.servable import Servable
from kbert.export.served_model import ServedModel
from kbert.export.served_pretrainer import LONGEST_FILLED, ServedPretrainer
from kbert.tasks.fill_mask import fill_masks

TEXTS = (
    "영화 [MASK]",
    "[MASK]영화가 [MASK] [MASK]다.",
    "  [MASK]",
    "the movie\n\u3000[MASK] 좋다",
)

NAMED = ("name", Path("directory"))  # of a servable


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    directory = pretrained(tmp_path_factory.mktemp("model") / "m")
    return kbert.load(directory), kbert.load_tokenizer(directory)


@pytest.fixture(scope="module")
def functions(loaded):
    return ServedModel(Servable(*NAMED, *loaded)).functions()


def as_text(array):
    return np.char.decode(array.numpy().astype("bytes"), "utf-8").tolist()


def test_equals_fill_masks(loaded, functions):
    outputs = functions["fill_mask"](tf.constant(TEXTS), tf.constant(4))
    assert outputs["num_masks"].numpy().tolist() == [1, 3, 1, 1]
    assert outputs["tokens"].shape == (4, 3, 4)
    tokens, filled = as_text(outputs["tokens"]), as_text(outputs["filled"])
    for i, text in enumerate(TEXTS):
        expected = fill_masks(*loaded, text, 4)
        for m, candidates in enumerate(expected):
            assert tokens[i][m] == [c["token"] for c in candidates]
            assert filled[i][m] == [c["filled"] for c in candidates]
            np.testing.assert_allclose(
                outputs["scores"][i, m], [c["score"] for c in candidates], atol=1e-6
            )
        assert all(token == "" for row in tokens[i][len(expected) :] for token in row)
    assert not outputs["truncated"].numpy().any()


def test_each_text_has_its_own_k(functions):
    outputs = functions["fill_mask"](tf.constant(TEXTS[:2]), tf.constant([1, 3]))
    assert [sum(map(bool, row)) for row in as_text(outputs["tokens"])[0]] == [1, 0, 0]
    assert [sum(map(bool, row)) for row in as_text(outputs["tokens"])[1]] == [3, 3, 3]
    assert (outputs["scores"].numpy()[0, :, 1:] == 0).all()


def test_more_candidates_than_tokens(loaded, functions):
    outputs = functions["fill_mask"](tf.constant(["[MASK]"]), tf.constant(10**6))
    tokens = loaded[1].vocabulary.tokens
    assert sorted(as_text(outputs["tokens"])[0][0]) == sorted(tokens[5:])
    (expected,) = fill_masks(*loaded, "[MASK]", 10**6)
    scores = [candidate["score"] for candidate in expected]
    np.testing.assert_allclose(outputs["scores"][0, 0], scores, atol=1e-6)


def test_rows_behind_the_vocabulary_are_never_offered(loaded):
    tokenizer = loaded[1]
    backbone = small_models.backbone(vocabulary_size=len(tokenizer.vocabulary) + 13)
    model = kbert.BertPretrainer(backbone)
    bias = np.zeros(backbone.vocabulary_size)
    bias[-13:], bias[:5] = 40, 30  # more than any token gets
    model.masked_lm_head.output_bias.assign(bias)
    functions = ServedModel(Servable(*NAMED, model, tokenizer)).functions()
    outputs = functions["fill_mask"](tf.constant(["영화 [MASK]"]), tf.constant(3))
    (expected,) = fill_masks(model, tokenizer, "영화 [MASK]", 3)
    assert as_text(outputs["tokens"])[0][0] == [c["token"] for c in expected]
    assert as_text(outputs["filled"])[0][0] == [c["filled"] for c in expected]
    assert not {c["token"] for c in expected} & {*tokenizer.vocabulary.special_tokens}


def test_without_a_mask_and_cut_off(loaded, functions):
    length = loaded[0].backbone.max_sequence_length
    texts = ["영화", "[MASK] " + "영화 " * length + "[MASK]", ""]
    outputs = functions["fill_mask"](tf.constant(texts), tf.constant(2))
    assert outputs["num_masks"].numpy().tolist() == [0, 1, 0]
    assert outputs["truncated"].numpy().tolist() == [False, True, False]
    only_without = functions["fill_mask"](tf.constant(["영화"]), tf.constant(2))
    assert only_without["tokens"].shape == (1, 0, 2)


def test_long_text_is_not_written_again(functions):
    word = "가" * LONGEST_FILLED
    outputs = functions["fill_mask"](tf.constant([f"[MASK] {word}"]), tf.constant(2))
    assert all(as_text(outputs["tokens"])[0][0])
    assert as_text(outputs["filled"])[0][0] == ["", ""]


def test_no_candidates_is_an_error(functions):
    with pytest.raises(tf.errors.InvalidArgumentError, match="k must be at least 1"):
        functions["fill_mask"](tf.constant(TEXTS), tf.constant(0))


def test_pieces_of_sentencepiece(loaded):
    """Spaces come from "▁" there, as `Tokenizer.filled` puts them."""
    tokenizer = kbert.SentencePieceTokenizer("tests/data/sentencepiece.model")
    rows = len(tokenizer.vocabulary.tokens)
    backbone = kbert.BertBackbone(
        vocabulary_size=rows,
        num_layers=1,
        num_heads=1,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=16,
        initializer_range=0.5,
    )
    model = kbert.BertPretrainer(backbone)
    served = ServedPretrainer(lambda x: model(x, training=False), tokenizer, 16)
    texts = ("나는 [MASK] 좋다", "[MASK] 나", "나[MASK]")
    outputs = served.fill_mask(tf.constant(texts), tf.constant(6))
    for text, row in zip(texts, as_text(outputs["filled"])):
        expected = fill_masks(model, tokenizer, text, 6)
        assert row == [[c["filled"] for c in candidates] for candidates in expected]


def test_next_sentence(loaded, functions):
    model, tokenizer = loaded
    texts = (["영화를 봤다.", "the movie", ""], ["좋다", "영화 " * 200, ""])
    outputs = functions["next_sentence"](*map(tf.constant, texts))
    length = model.backbone.max_sequence_length
    packed = kbert.BertPreprocessor(tokenizer, length)(texts)
    packed["mask_positions"] = tf.zeros((3, 1), tf.int32)
    logits = model(packed, training=False)["next_sentence"]
    expected = tf.nn.softmax(logits)[:, 0]
    np.testing.assert_allclose(outputs["score"], expected, atol=1e-6)
    assert outputs["is_next"].numpy().tolist() == (expected > 0.5).numpy().tolist()
    assert outputs["truncated"].numpy().tolist() == [False, True, False]


def test_only_what_was_trained_is_served(loaded):
    served = ServedModel(Servable(*NAMED, *loaded, has_next_sentence=False))
    assert "fill_mask" in served.declared and "next_sentence" not in served.declared
