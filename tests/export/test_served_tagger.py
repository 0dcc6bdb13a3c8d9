"""Entities in the graph equal those of the task's own `decode`."""

import random

import numpy as np
import pytest
import small_models
import tensorflow as tf

import kbert
from kbert.export.graph.entities import entity_spans, tag_parts
from kbert.export.graph.units import word_units
from kbert.export.graph.windows import code_points
from kbert.export.served_tagger import ServedTagger
from kbert.metrics.entities import entities_of
from kbert.tasks.answerer import answer
from kbert.tasks.tagging import tagged_text
from kbert.tasks.tagging.tagged_text import of_text

TOKENS = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    *["가", "나", "##나", "##다", "a", "##b", "(", ")", ".", "영화", "##가", "ab"],
    *["ᄀ", "##ᅡ", "##ᆨ"],
]
BIO = ("O", "B-PS", "I-PS", "B-LC", "I-LC")
LABELS = {
    "bio": BIO,
    "bioes": ("O", "B-PS", "I-PS", "E-PS", "S-PS", "B-LC", "I-LC", "E-LC", "S-LC"),
    "inside only": ("I-PS", "O", "I-LC"),
    "without O": ("B-PS", "I-PS"),
    "plain": ("NOUN", "VERB", "PUNCT"),
}
ALPHABET = "가나다ab().,'’“ \t\u3000😀\u0301\u200b각영화"
TEXTS = [
    "",
    " \n\u3000",
    "가나 (ab) 영화가.",
    "'영화'가 \"ab.\" ... 가",
    "a\u0301b 가\u0301나 \x07가",
    "😀가나😀 영화가😀.",
    "가나다 영화가 ab (가) " * 12,
]


def random_texts(count=30):
    generator = random.Random(5)
    lengths = (generator.choice([1, 4, 12, 60]) for _ in range(count))
    return ["".join(generator.choices(ALPHABET, k=length)) for length in lengths]


def tagger(labels):
    backbone = small_models.backbone(
        seed=3,
        vocabulary_size=len(TOKENS),
        max_sequence_length=16,
        initializer_range=0.9,
    )
    return kbert.BertTokenClassifier(backbone, len(labels))


def compare(model, tokenizer, task, texts):
    served = ServedTagger(lambda x: model(x, training=False), tokenizer, task)
    spec = [tf.TensorSpec((None,), tf.string)]
    function = tf.function(served.tag, input_signature=spec, autograph=False)
    outputs = {name: x.numpy() for name, x in function(tf.constant(texts)).items()}
    expected = answer(model, task, tokenizer, [of_text(text) for text in texts])
    for i, (text, row) in enumerate(zip(texts, expected, strict=True)):
        entities = row["entities"]
        if not task.tags_entities:  # a unit each
            cut = getattr(tagged_text, f"{task.granularity}_units")(text)
            entities = [
                {"type": tag, "text": text[start:end], "start": start, "end": end}
                for tag, (start, end) in zip(row["tags"], cut, strict=True)
            ]
        count = outputs["num_entities"][i]
        assert count == len(entities)
        for name, key in (("types", "type"), ("texts", "text")):
            found = [value.decode() for value in outputs[name][i]]
            assert found[:count] == [entity[key] for entity in entities]
            assert set(found[count:]) <= {""}
        for name, key in (("starts", "start"), ("ends", "end")):
            assert outputs[name][i, :count].tolist() == [e[key] for e in entities]
        if task.tags_entities:
            scores = [entity["score"] for entity in entities]
            np.testing.assert_allclose(outputs["scores"][i, :count], scores, atol=1e-5)
        assert not outputs["truncated"][i]
    return outputs


@pytest.mark.parametrize(
    ("scheme", "granularity"),
    [
        *[("bio", g) for g in ("word", "character")],
        *[("bioes", g) for g in ("word", "character")],
        ("inside only", "word"),
        ("without O", "character"),
        ("plain", "word"),
    ],
)
def test_equals_decode(scheme, granularity):
    task = kbert.TokenClassification(LABELS[scheme], granularity, sequence_length=12)
    tokenizer = kbert.BertTokenizer(TOKENS)
    outputs = compare(tagger(task.labels), tokenizer, task, TEXTS + random_texts())
    assert outputs["num_entities"].sum() > 9  # not all of it O


@pytest.mark.parametrize("granularity", ["word", "character"])
def test_syllables_taken_apart(granularity):
    """Several tokens for a character, and characters without any."""
    task = kbert.TokenClassification(BIO, granularity, sequence_length=10, stride=3)
    tokenizer = kbert.BertTokenizer(TOKENS, lowercase=True)
    compare(tagger(BIO), tokenizer, task, TEXTS + random_texts())


@pytest.mark.parametrize("granularity", ["word", "character"])
def test_sentencepiece(granularity):
    tokenizer = kbert.SentencePieceTokenizer("tests/data/sentencepiece.model")
    backbone = kbert.BertBackbone(
        vocabulary_size=len(tokenizer.vocabulary.tokens),
        num_layers=1,
        num_heads=1,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=16,
        initializer_range=0.9,
    )
    task = kbert.TokenClassification(BIO, granularity, sequence_length=16)
    model = kbert.BertTokenClassifier(backbone, len(BIO))
    compare(model, tokenizer, task, TEXTS)


def test_words_of_random_texts():
    texts = TEXTS + random_texts(200)
    points = code_points(tf.constant(texts))
    starts, limits = word_units(points)
    bases = points.row_starts().numpy()
    expected = [
        (start + base, limit + base)
        for text, base in zip(texts, bases, strict=True)
        for start, limit in tagged_text.word_units(text)
    ]
    assert list(zip(starts.numpy(), limits.numpy(), strict=True)) == expected


def test_entities_of_random_tags():
    tags = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("X", "Y"))]
    generator = random.Random(1)
    rows = [generator.choices(tags, k=generator.randint(0, 9)) for _ in range(300)]
    letters, names = tag_parts(tags)
    flat = [tags.index(tag) for row in rows for tag in row]
    row_of = [i for i, row in enumerate(rows) for _ in row]
    first, last = entity_spans(
        tf.gather(tf.constant(letters), flat),
        tf.gather(tf.constant([names.index(name) for name in names]), flat),
        tf.constant(row_of),
    )
    expected, base = [], 0
    for row in rows:
        expected += [(base + s, base + e - 1) for _, s, e in entities_of(row)]
        base += len(row)
    assert list(zip(first.numpy(), last.numpy(), strict=True)) == expected
