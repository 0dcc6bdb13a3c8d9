"""Tokens with their slices: the texts' own characters, chunks, odd texts."""

from pathlib import Path

import numpy as np
import pytest

from kbert.tasks.rows.token_slices import token_slices
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer
from kbert.text.tokenizer import BertTokenizer

DATA = Path(__file__).parents[2] / "data"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "em", "##bed", "##ding", "!"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS, lowercase=True)


def test_worked_example(tokenizer):
    slices = token_slices(tokenizer, ["Embedding !", "", "😀 em"])
    assert slices.ids.tolist() == [5, 6, 7, 8, 1, 5]
    assert slices.splits.tolist() == [0, 4, 4, 6]
    assert len(slices) == 3
    assert [array.dtype.name for array in slices.text(0)] == ["int32"] * 3
    ids, starts, limits = slices.text(0)
    assert ids.tolist() == [5, 6, 7, 8]
    assert starts.tolist() == [0, 2, 5, 10]
    assert limits.tolist() == [2, 5, 9, 11]
    assert [array.tolist() for array in slices.text(1)] == [[], [], []]
    assert [array.tolist() for array in slices.text(2)] == [[1, 5], [0, 2], [1, 4]]


def test_chunks_change_nothing(tokenizer):
    texts = ["em!", "", "Embed ding", "!", "em em em"]
    whole, parts = token_slices(tokenizer, texts), token_slices(tokenizer, texts, 2)
    for name in ("ids", "starts", "limits", "splits"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_no_text_at_all(tokenizer):
    slices = token_slices(tokenizer, [])
    assert len(slices) == 0
    assert len(slices.ids) == 0


def test_half_a_surrogate_pair_counts_as_one_character(tokenizer):
    # Python's JSON reads "\ud83d" alone, and UTF-8 has no bytes for it.
    slices = token_slices(tokenizer, ["\ud83d em"])
    assert slices.ids.tolist() == [5]
    assert (slices.starts.tolist(), slices.limits.tolist()) == ([2], [4])


def test_pieces_of_sentencepiece():
    tokenizer = SentencePieceTokenizer(DATA / "sentencepiece.model")
    text = "오늘 영화는 good!"
    slices = token_slices(tokenizer, [text, text])
    _, starts, limits = slices.text(1)
    pieces = [text[a:b] for a, b in zip(starts, limits, strict=True)]
    assert "".join(pieces) == text.replace(" ", "")
    assert not any(" " in piece for piece in pieces)
