"""[MASK] in a text: packed as a token, filled with the likeliest."""

from pathlib import Path

import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.tasks.fill_mask import fill_masks, packed_with_masks
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary import Vocabulary

DATA = Path(__file__).parents[1] / "data"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "x", "y", "a", "##z", "b"]
HALF = "[MASK]\ud83d"  # as JSON may have it


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
    assert packed_with_masks(text, tokenizer).tolist() == expected


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


def test_the_reference_fills_the_same(model, tokenizer):
    text = "a [MASK] and [MASK]."
    found = fill_masks(model, ReferenceTokenizer(TOKENS), text)
    assert found == fill_masks(model, tokenizer, text)


def test_half_a_surrogate_pair(model, tokenizer):
    whole, broken = (fill_masks(model, tokenizer, t) for t in ("[MASK]\ufffd", HALF))
    assert broken == whole
    assert broken[0][0]["filled"] == "z\ufffd"


def test_no_mask(tokenizer):
    with pytest.raises(ValueError, match=r"Expected a text with \[MASK\].*got 'a b'"):
        packed_with_masks("a b", tokenizer)


def test_too_long(model, tokenizer):
    with pytest.raises(ValueError, match="at most 8 tokens; it has 9"):
        fill_masks(model, tokenizer, "a a a a a a [MASK]")


def test_sentencepiece():
    tokenizer = SentencePieceTokenizer(DATA / "sentencepiece.model")
    vocabulary = tokenizer.vocabulary
    ids = packed_with_masks("국민 [MASK]의 [MASK] [SEP]", tokenizer).tolist()
    # No "▁" before "의", which goes on the word; and [SEP] in a text is text.
    word, ending = (vocabulary.token_to_id(token) for token in ("▁국민", "의"))
    assert ids[:5] == [2, word, 4, ending, 4]
    assert ids.count(3) == 1 and ids[-1] == 3
    backbone = BertBackbone(len(vocabulary), 1, 2, 8, 16, max_sequence_length=8)
    model = BertPretrainer(backbone)
    bias = np.zeros(len(vocabulary))
    bias[[word, ending]] = 20, 19
    model.masked_lm_head.output_bias.assign(bias)
    (found,) = fill_masks(model, tokenizer, "대한 [MASK].", top_k=2)
    assert [c["token"] for c in found] == ["▁국민", "의"]
    assert [c["filled"] for c in found] == ["대한 국민.", "대한의."]
    (found,) = fill_masks(model, tokenizer, "[MASK] 뜻", top_k=1)
    assert found[0]["filled"] == "국민 뜻"


def test_a_mask_spelled_otherwise():
    vocabulary = Vocabulary([*TOKENS[:4], "<mask>", "a"], mask_token="<mask>")
    tokenizer = BertTokenizer(vocabulary)
    assert packed_with_masks("a <mask>", tokenizer).tolist() == [2, 5, 4, 3]
    with pytest.raises(ValueError, match=r"Expected a text with <mask> in it; got"):
        packed_with_masks("a [MASK]", tokenizer)
