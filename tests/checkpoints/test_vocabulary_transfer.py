"""Rows move with their tokens; what no new token touches gives the numbers it gave."""

import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load, save
from kbert.checkpoints.vocabulary_transfer import row_sources, with_vocabulary
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary import Vocabulary
from kbert.text.vocabulary_change import extend_vocabulary, prune_vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIAL, "[unused1]", "[unused2]", "play", "##ing", "##s", "a", "##a", "-"]
TOKENIZER = ReferenceTokenizer(TOKENS)
KINDS = ("backbone", "pretrainer", "classifier")


def made(kind, rows=13, dtype=None):
    """Random weights in every variable; the settings are not the defaults."""
    backbone = BertBackbone(
        rows,
        2,
        2,
        16,
        24,
        activation="gelu_tanh",
        dropout=0.2,
        max_sequence_length=12,
        num_segments=3,
        dtype=dtype,
    )
    model = {
        "backbone": lambda: backbone,
        "pretrainer": lambda: BertPretrainer(backbone),
        "classifier": lambda: BertTextClassifier(backbone, 4, 0.3, name="mine"),
    }[kind]()
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model


def tables(model):
    """The token embedding (V, D) and, of a pre-trainer, the bias (V,)."""
    found = [getattr(model, "backbone", model).embeddings.token_embedding.embeddings]
    if hasattr(model, "masked_lm_head"):
        found.append(model.masked_lm_head.output_bias)
    return [keras.ops.convert_to_numpy(variable) for variable in found]


def outputs(model, vocabulary, text):
    """What a model says of one text, as a dict of arrays."""
    ids = ReferenceTokenizer(vocabulary)([text])[0]
    ids = [[vocabulary.cls_id, *ids, vocabulary.sep_id]]
    inputs = {
        "token_ids": np.array(ids, "int32"),
        "segment_ids": np.zeros_like(ids, "int32"),
        "padding_mask": np.ones_like(ids, "int32"),
    }
    if hasattr(model, "masked_lm_head"):
        inputs["mask_positions"] = np.array([[1, 2]], "int32")
    given = model(inputs)
    given = given if isinstance(given, dict) else {"logits": given}
    return {name: keras.ops.convert_to_numpy(x) for name, x in given.items()}


def assert_equal_outputs(after, before, new_ids, old_ids):
    """Bit for bit; but the product with a table of another size may round otherwise."""
    assert after.keys() == before.keys()
    for name, values in before.items():
        if name == "masked_lm":
            ours, values = after[name][..., new_ids], values[..., old_ids]
            np.testing.assert_allclose(ours, values, rtol=1e-6, atol=1e-6)
        else:
            assert np.array_equal(after[name], values)


def test_sources():
    new = ["playing", "##as", "a-plays", "x", "plax", "##xa", "[E]", "##s", "a"]
    vocabulary = Vocabulary([*SPECIAL, *new])
    play, ing, s, a, continued_a, dash = range(7, 13)
    for tokenizer in (TOKENIZER, BertTokenizer(TOKENS)):
        assert row_sources(tokenizer, vocabulary)[5:] == [
            [play, ing],
            [continued_a, s],
            [a, dash, play, s],
            [1],
            [1],
            [1],
            [1, 1, 1],  # "[", "E", "]"
            [s],
            [a],
        ]


def test_special_tokens_are_matched_by_their_part():
    spelled = {"pad_token": "<pad>", "mask_token": "a"}
    vocabulary = Vocabulary(["[UNK]", "[CLS]", "[SEP]", "<pad>", "a"], **spelled)
    assert row_sources(TOKENIZER, vocabulary) == [[1], [2], [3], [0], [4]]


@pytest.mark.parametrize("kind", KINDS)
def test_appended_rows_are_means_and_all_else_stays(kind):
    model = made(kind)
    extended = extend_vocabulary(TOKENIZER.vocabulary, ["playing", "##as", "x"])
    new = with_vocabulary(model, TOKENIZER, extended)
    assert type(new) is type(model)
    assert new.name == model.name
    backbones = [getattr(m, "backbone", m) for m in (model, new)]
    before, after = (backbone.get_config() for backbone in backbones)
    assert after == before | {"vocabulary_size": len(TOKENS) + 3}
    for old, moved in zip(tables(model), tables(new), strict=True):
        assert len(moved) == len(TOKENS) + 3
        assert np.array_equal(moved[: len(TOKENS)], old)
        assert np.array_equal(moved[-3], (old[7] + old[8]) / 2)
        assert np.array_equal(moved[-2], (old[11] + old[9]) / 2)
        assert np.array_equal(moved[-1], old[1])
    others = 0
    for old, moved in zip(model.weights, new.weights, strict=True):
        if not old.path.endswith(("token_embedding/embeddings", "output_bias")):
            assert np.array_equal(old.numpy(), moved.numpy())
            others += 1
    assert others == len(model.weights) - len(tables(model))


@pytest.mark.parametrize("kind", KINDS)
def test_texts_without_new_tokens_give_the_same_numbers(kind):
    model = made(kind)
    for onto_unused in (False, True):
        extended = extend_vocabulary(
            TOKENIZER.vocabulary, ["playing", "x"], onto_unused
        )
        new = with_vocabulary(model, TOKENIZER, extended)
        before = outputs(model, TOKENIZER.vocabulary, "plays a-a")
        after = outputs(new, extended, "plays a-a")
        kept = [i for i, token in enumerate(TOKENS) if token in extended]
        assert_equal_outputs(after, before, kept, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_pruned_to_a_corpus(kind):
    model = made(kind)
    pruned = prune_vocabulary(TOKENIZER, ["plays a"])
    assert pruned.tokens == (*SPECIAL, "play", "##s", "a", "##a")
    new = with_vocabulary(model, TOKENIZER, pruned)
    kept = [TOKENS.index(token) for token in pruned.tokens]
    for old, moved in zip(tables(model), tables(new), strict=True):
        assert np.array_equal(moved, old[kept])
    before = outputs(model, TOKENIZER.vocabulary, "plays a")
    after = outputs(new, pruned, "plays a")
    assert_equal_outputs(after, before, range(len(pruned)), kept)


def test_the_decoder_stays_tied(tmp_path):
    extended = extend_vocabulary(TOKENIZER.vocabulary, ["playing"])
    new = with_vocabulary(made("pretrainer"), TOKENIZER, extended)
    embedding = new.backbone.embeddings.token_embedding
    assert new.masked_lm_head.token_embedding is embedding
    assert len(new.weights) == len(made("pretrainer").weights)
    before = outputs(new, extended, "a a")["masked_lm"]
    table = embedding.embeddings.numpy()
    table[-1] += 1
    embedding.embeddings.assign(table)
    after = outputs(new, extended, "a a")["masked_lm"]
    assert np.array_equal(after[..., :-1], before[..., :-1])
    assert not np.array_equal(after[..., -1], before[..., -1])
    save(new, tmp_path / "model", ReferenceTokenizer(extended))
    assert np.array_equal(tables(load(tmp_path / "model"))[0], table)


def test_rows_without_a_token_go():
    model = made("pretrainer", rows=16)
    new = with_vocabulary(model, TOKENIZER, TOKENIZER.vocabulary)
    for old, moved in zip(tables(model), tables(new), strict=True):
        assert np.array_equal(moved, old[: len(TOKENS)])


def test_half_precision_keeps_its_type():
    model = made("pretrainer", dtype="bfloat16")
    extended = extend_vocabulary(TOKENIZER.vocabulary, ["playing"])
    new = with_vocabulary(model, TOKENIZER, extended)
    for old, moved in zip(tables(model), tables(new), strict=True):
        assert moved.dtype == old.dtype
        assert np.array_equal(moved[:-1], old)
        exact = (old[7].astype("float32") + old[8].astype("float32")) / 2
        assert np.array_equal(moved[-1], exact.astype(old.dtype))


def test_the_old_model_stays():
    model = made("classifier")
    before = [weight.numpy() for weight in model.weights]
    with_vocabulary(model, TOKENIZER, Vocabulary(SPECIAL))
    for weight, value in zip(model.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), value)


def test_a_tokenizer_of_another_model():
    message = "tokenizer of this model, of at most 12 tokens; it has 13"
    with pytest.raises(ValueError, match=message):
        with_vocabulary(made("backbone", rows=12), TOKENIZER, TOKENIZER.vocabulary)
