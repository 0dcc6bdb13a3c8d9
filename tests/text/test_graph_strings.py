"""Texts on their way into the graph: what holds them, halves of surrogate pairs."""

import numpy as np
import pytest
import tensorflow as tf

from kbert.text.graph_strings import as_strings, stripped_left, stripped_right
from kbert.text.preprocessor import BertPreprocessor
from kbert.text.tokenizer import BertTokenizer

BROKEN, WHOLE = ["a\ud83d b", "\udc00"], ["a\ufffd b", "\ufffd"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]


@pytest.mark.parametrize(
    "hold",
    [list, tuple, np.array, lambda texts: np.array(texts, object)],
    ids=["list", "tuple", "array", "objects"],
)
def test_halves_of_surrogate_pairs(hold):
    expected = [text.encode() for text in WHOLE]
    assert as_strings(hold(BROKEN)).numpy().tolist() == expected
    assert as_strings(hold(WHOLE)).numpy().tolist() == expected


def test_bytes_and_tensors_stay():
    for strings in ([b"\xff", b"a"], tf.constant([b"\xff", b"a"])):
        assert as_strings(strings).numpy().tolist() == [b"\xff", b"a"]


def test_broken_texts_of_another_shape():
    for strings, shape in (("\ud83d", r"\(\)"), ([["\ud83d"]], r"\(1, 1\)")):
        with pytest.raises(ValueError, match=f"one text per element.*shape {shape}"):
            as_strings(strings)


def test_layers_take_them():
    tokenizer = BertTokenizer(TOKENS)
    assert tokenizer(BROKEN).to_list() == tokenizer(WHOLE).to_list() == [[5, 6], []]
    located = tokenizer.tokenize_with_offsets(BROKEN)
    assert [x.to_list() for x in located] == [[[5, 6], []], [[0, 3], []], [[1, 4], []]]
    layer = BertPreprocessor(tokenizer, 8)
    for texts, whole in ((BROKEN, WHOLE), ((BROKEN, WHOLE), (WHOLE, WHOLE))):
        found, expected = layer(texts), layer(whole)
        for name, x in expected.items():
            np.testing.assert_array_equal(found[name], x)


def test_stripped_as_python_strips():
    spaces = "".join(chr(i) for i in range(0x3001) if chr(i).isspace())
    texts = [f"{c}a{c}b{c}" for c in [*spaces, spaces, "\u200b", ""]]
    for function, method in ((stripped_left, str.lstrip), (stripped_right, str.rstrip)):
        found = [text.decode() for text in function(tf.constant(texts)).numpy()]
        assert found == list(map(method, texts))
