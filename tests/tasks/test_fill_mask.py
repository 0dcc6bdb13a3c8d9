"""[MASK] in a text: packed as a token, filled with the likeliest."""

import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.tasks.fill_mask import fill_masks, packed_with_masks
from kbert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "x", "y", "a", "##z", "b"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


@pytest.fixture(scope="module")
def model():
    """Its favourites, whatever the input, are "##z", then "b"."""
    model = BertPretrainer(BertBackbone(10, 1, 2, 8, 16, max_sequence_length=8))
    model.masked_lm_head.output_bias.assign([0, 0, 0, 0, 0, 0, 0, 0, 9, 8])
    return model


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a [MASK]b", [2, 7, 4, 9, 3]),
        ("[MASK]", [2, 4, 3]),
        ("[MASK][MASK] a", [2, 4, 4, 7, 3]),
        ("a[MASK]", [2, 7, 4, 3]),
    ],
)
def test_packing(tokenizer, text, expected):
    assert packed_with_masks(text, tokenizer) == expected


def test_filling(model, tokenizer):
    first, second = fill_masks(model, tokenizer, "a [MASK] and [MASK].", top_k=2)
    assert [c["token"] for c in first] == [c["token"] for c in second] == ["##z", "b"]
    assert [c["filled"] for c in first] == ["az and [MASK].", "a b and [MASK]."]
    assert [c["filled"] for c in second] == ["a [MASK] andz.", "a [MASK] and b."]
    scores = [c["score"] for c in fill_masks(model, tokenizer, "[MASK]", 10)[0]]
    assert sum(scores) == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    # softmax of 9, 8 and eight 0s; the products with the table are small
    assert scores[0] == pytest.approx(np.exp(9) / (np.exp(9) + np.exp(8) + 8), abs=0.05)


def test_no_mask(tokenizer):
    with pytest.raises(ValueError, match=r"Expected a text with \[MASK\].*got 'a b'"):
        packed_with_masks("a b", tokenizer)


def test_too_long(model, tokenizer):
    with pytest.raises(ValueError, match="at most 8 tokens; it has 9"):
        fill_masks(model, tokenizer, "a a a a a a [MASK]")
