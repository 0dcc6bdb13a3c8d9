"""[MASK] in a text: packed as a token, filled with the likeliest."""

from pathlib import Path

import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.tasks.feature_extraction import extract_features
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
    assert len(scores) == 5  # all tokens but the special ones
    # which have their share all the same: about 5 of the 8 rows with a bias of 0
    assert 1 - sum(scores) == pytest.approx(5 / (np.exp(9) + np.exp(8) + 8), rel=0.5)
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


def test_what_is_no_text_is_never_offered(tokenizer):
    # 10 tokens for 16 rows: the favourites are a row behind them, and special tokens.
    model = BertPretrainer(BertBackbone(16, 1, 2, 8, 16, max_sequence_length=8))
    bias = np.zeros(16)
    bias[[12, 15, 1, 4, 0, 8, 9]] = 40, 39, 38, 37, 36, 30, 29
    model.masked_lm_head.output_bias.assign(bias)
    (found,) = fill_masks(model, tokenizer, "a [MASK]", top_k=2)
    assert [c["token"] for c in found] == ["##z", "b"]
    assert found[0]["score"] < 0.001  # its share of all rows, as the model gave it
    (found,) = fill_masks(model, tokenizer, "a [MASK]", top_k=99)
    assert sorted(c["token"] for c in found) == sorted(TOKENS[5:])


def test_added_special_tokens_are_no_fillings(model):
    marker = {"content": "b", "special": True}
    own = ReferenceTokenizer(Vocabulary(TOKENS, added_tokens=[marker]))
    (found,) = fill_masks(model, own, "a [MASK]", top_k=9)
    assert sorted(c["token"] for c in found) == ["##z", "a", "x", "y"]


def test_more_tokens_than_rows(model):
    own = ReferenceTokenizer([*TOKENS, "c"])
    message = "at most 10 tokens, the rows of the model's token emb.*; it has 11"
    with pytest.raises(ValueError, match=message):
        fill_masks(model, own, "a [MASK]")
    with pytest.raises(ValueError, match=message):
        next(extract_features(model, own, ["c"]))


def test_scores_are_those_of_transformers(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed"
    )
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 16, "initializer_range": 2.0}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=64, **sizes)  # filled up to 64
    theirs = transformers.BertForMaskedLM(config).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    with pytest.warns(UserWarning, match="10 tokens for 64 rows"):
        ours = load(tmp_path)
    (found,) = fill_masks(ours, BertTokenizer(TOKENS), "a [MASK]", top_k=9)
    with torch.no_grad():
        logits = theirs(torch.tensor([[2, 7, 4, 3]])).logits[0, 2]
    scores = torch.softmax(logits, dim=-1).numpy()
    assert np.argmax(scores) > 9  # what a pipeline would crash on, or spell [UNK]
    expected = sorted(zip(scores[5:10].tolist(), TOKENS[5:]), reverse=True)
    assert [c["token"] for c in found] == [token for _, token in expected]
    np.testing.assert_allclose(
        [c["score"] for c in found], [s for s, _ in expected], rtol=1e-4
    )
