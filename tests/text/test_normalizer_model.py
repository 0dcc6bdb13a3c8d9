import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from kbert.text.normalizer_model import _offset, normalizer_model

CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def normalizer(replacements):
    model = np.frombuffer(normalizer_model(replacements), np.uint8)
    return tf_text.FastBertNormalizer(model_buffer=tf.constant(model))


@pytest.mark.parametrize("count", [1, 3000])
def test_equals_str_translate(count):
    draw = random.Random(count)
    letters = ["", " ", "x", "가나", "\U0001f600", "y" * 63]
    table = {
        c: draw.choice(letters) if draw.random() < 0.5 else chr(draw.randrange(0x4E00))
        for c in draw.sample(CHARACTERS, count)
    }
    apply = normalizer(table)
    others = draw.sample(CHARACTERS, 3000)
    text = "".join(draw.sample([*table, *others], count + 3000))
    expected = text.translate({ord(c): value for c, value in table.items()})
    (got,) = apply.normalize([text]).numpy()
    assert got.decode() == expected
    # And every character of Unicode by itself.
    alone = [table.get(c, c).encode() for c in CHARACTERS]
    assert apply.normalize(CHARACTERS).numpy().tolist() == alone


def test_zero_and_nothing():
    apply = normalizer({"\0": "zero", "a": ""})
    assert apply.normalize(["\0a\0", "", "b"]).numpy().tolist() == [
        b"zerozero",
        b"",
        b"b",
    ]
    assert normalizer({}).normalize(["a\0"]).numpy().tolist() == [b"a\0"]


def test_offsets_lead_back():
    text, offsets = normalizer({"각": "abc", "x": ""}).normalize_with_offsets(
        ["나각x!"]
    )
    assert text.numpy().tolist() == ["나abc!".encode()]
    assert offsets.to_list() == [[0, 1, 2, 3, 3, 3, 7, 8]]


def test_shared_nodes_keep_the_table_small():
    unassigned = {chr(c): "" for c in range(0xF0000, 0x100000)}
    assert len(normalizer_model(unassigned)) < 10_000


def test_an_offset_out_of_reach():
    assert _offset(3) == 3 << 10
    with pytest.raises(ValueError, match="an offset the format has not"):
        _offset((1 << 21) + 1)
