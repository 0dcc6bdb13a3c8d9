"""Nothing assumes that padding is 0, or that special tokens come first.

The same words under other ids, and the rows of the embedding moved along: every stage
must give what it gives with Google's order, but for the ids themselves.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kbert
from kbert.pretraining.corpus import documents
from kbert.pretraining.token_store import build_token_store
from kbert.tasks.fill_mask import fill_masks
from kbert.text.sentencepiece_model import read_model

DATA = Path(__file__).parent / "data"
GOOGLE = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
KOBERT = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
LAST = ["[CLS]", "[MASK]", "[UNK]", "[SEP]", "[PAD]"]
LENGTH = 32
TEXTS = ["대한민국 국민이 [SEP] 알고 있습니다.", "", "정부는 국민의 뜻을 모르고 " * 9]


def vocabulary(kind, order):
    if kind == "sentencepiece":
        words = read_model(DATA / "sentencepiece.model").pieces[5:]
    else:
        words = kbert.Vocabulary.read(DATA / "text_vocabulary.txt").tokens[5:]
    return [*words, *order] if order is LAST else [*order, *words]


def tokenizer(kind, order):
    tokens = vocabulary(kind, order)
    if kind == "wordpiece":
        return kbert.BertTokenizer(tokens)
    # In KoBERT's order, the model file itself gives the ids.
    own = None if order is KOBERT else tokens
    return kbert.SentencePieceTokenizer(DATA / "sentencepiece.model", own)


def moved(kind, order):
    """int (V,): the id in `order` of each id in Google's."""
    ids = {token: i for i, token in enumerate(vocabulary(kind, order))}
    return np.array([ids[token] for token in vocabulary(kind, GOOGLE)])


def pretrainer(kind, order):
    """The same model for every order: rows of the vocabulary in another one."""
    keras.utils.set_random_seed(0)
    size = len(vocabulary(kind, GOOGLE))
    backbone = kbert.BertBackbone(
        size, 2, 2, 16, 32, max_sequence_length=LENGTH, initializer_range=0.3
    )
    model = kbert.BertPretrainer(backbone)
    bias = model.masked_lm_head.output_bias
    bias.assign(np.random.default_rng(0).normal(size=size))
    for weight in (backbone.embeddings.token_embedding.embeddings, bias):
        values = keras.ops.convert_to_numpy(weight)
        changed = np.empty_like(values)
        changed[moved(kind, order)] = values
        weight.assign(changed)
    return model


@pytest.fixture(scope="module", params=["wordpiece", "sentencepiece"])
def kind(request):
    return request.param


@pytest.fixture(scope="module", params=["kobert", "last"])
def order(request):
    return {"kobert": KOBERT, "last": LAST}[request.param]


@pytest.fixture(scope="module")
def directories(kind, order, tmp_path_factory):
    """Two pre-trained models as directories: Google's order, and the other."""
    root = tmp_path_factory.mktemp("models")
    return [
        kbert.save(pretrainer(kind, o), root / name, tokenizer(kind, o))
        for name, o in (("google", GOOGLE), ("other", order))
    ]


def test_the_orders_are_what_they_say(kind, order):
    size = len(vocabulary(kind, order))
    ids = tokenizer(kind, order).vocabulary
    if order is KOBERT:
        assert (ids.unknown_id, ids.pad_id, ids.cls_id, ids.sep_id) == (0, 1, 2, 3)
    else:
        assert ids.special_ids == tuple(range(size - 5, size))
        assert ids.pad_id == size - 1


def test_preprocessing(kind, order):
    first, second = (
        kbert.BertPreprocessor(tokenizer(kind, o), LENGTH)((TEXTS, TEXTS[::-1]))
        for o in (GOOGLE, order)
    )
    places = moved(kind, order)
    np.testing.assert_array_equal(places[first["token_ids"]], second["token_ids"])
    for name in ("segment_ids", "padding_mask"):
        np.testing.assert_array_equal(first[name], second[name])
    own = tokenizer(kind, order).vocabulary
    is_padding = second["padding_mask"].numpy() == 0
    assert is_padding.any()
    np.testing.assert_array_equal(second["token_ids"] == own.pad_id, is_padding)


def test_pretraining_batches(kind, order, tmp_path):
    batches = []
    for name, o in (("google", GOOGLE), ("other", order)):
        own = tokenizer(kind, o)
        store = build_token_store(
            documents([DATA / "text_sample_ko.txt"]),
            lambda sentences, own=own: own(sentences).to_list(),
            tmp_path / name,
        )
        made = kbert.PretrainingBatches(
            store, own.vocabulary, batch_size=64, sequence_length=LENGTH
        )
        batches.append(made.batch(1))
    places = moved(kind, order)
    (x, y, weights), (other_x, other_y, other_weights) = batches
    np.testing.assert_array_equal(places[x["token_ids"]], other_x["token_ids"])
    used = weights["masked_lm"] > 0
    np.testing.assert_array_equal(
        places[y["masked_lm"]][used], other_y["masked_lm"][used]
    )
    for name in ("segment_ids", "padding_mask", "mask_positions"):
        np.testing.assert_array_equal(x[name], other_x[name])
    np.testing.assert_array_equal(y["next_sentence"], other_y["next_sentence"])
    np.testing.assert_array_equal(weights["masked_lm"], other_weights["masked_lm"])


def test_fill_mask(directories):
    answers = []
    for directory in directories:
        model, own = kbert.load(directory), kbert.load_tokenizer(directory)
        found = fill_masks(model, own, "국민[MASK] 정부[MASK] 알고", top_k=5)
        answers.append([candidate for row in found for candidate in row])
    first, second = answers
    assert len(first) == 10
    assert [c["filled"] for c in first] == [c["filled"] for c in second]
    np.testing.assert_allclose(
        [c["score"] for c in first], [c["score"] for c in second], rtol=1e-4
    )


@pytest.fixture(scope="module")
def served_in_googles_order(kind, tmp_path_factory):
    root = tmp_path_factory.mktemp("google")
    return finetuned_and_served(kind, GOOGLE, root)


def finetuned_and_served(kind, order, root):
    """float (3, 2), what a classifier fine-tuned for 2 steps and exported answers."""
    model = kbert.save(pretrainer(kind, order), root / "model", tokenizer(kind, order))
    train = root / "train.tsv"
    rows = [
        f"{('국민', '정부')[i % 2]} {'대한 ' * (i % 7)}\t{i % 2}" for i in range(24)
    ]
    train.write_text("\n".join(["text\tlabel", *rows]), "utf-8")
    output = root / "classifier"
    kbert.finetune(
        str(train), str(output), "classification", str(model), epochs=1, batch_size=12
    )
    version = kbert.export_saved_model(str(output), str(root / "served"))
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    served = signature(text=tf.constant(TEXTS))["scores"]
    texts = root / "texts.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    texts.write_text("\n".join(lines), "utf-8")
    answers = [row["scores"].values() for row in kbert.predict(str(output), str(texts))]
    np.testing.assert_allclose(served, [list(row) for row in answers], atol=1e-5)
    return served


def test_finetune_export_reload(kind, order, served_in_googles_order, tmp_path):
    served = finetuned_and_served(kind, order, tmp_path)
    np.testing.assert_allclose(served, served_in_googles_order, atol=1e-4)
