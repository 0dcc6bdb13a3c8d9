"""Units, tokens and windows: who answers for whom."""

import numpy as np
import pytest

from kbert.tasks.tagging.tagged_rows import pack_tagged, unit_tags
from kbert.tasks.tagging.tagged_text import in_units, of_text, of_words
from kbert.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIAL, "em", "##bed", "##ding", "!", "a", "b", "서", "##울", "e"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


def pack(tokenizer, texts, length=16, stride=1, classes=None, granularity="word"):
    examples = [in_units(of_text(text), granularity) for text in texts]
    count = sum(len(example.units) for example in examples)
    classes = np.arange(count) + 1 if classes is None else np.array(classes)
    return pack_tagged(examples, classes, tokenizer, length, stride)


def test_worked_example_by_words(tokenizer):
    packed = pack(tokenizer, ["Embedding !", "", "embedding !"])
    #                                  [UNK] !           em ##bed ##ding !
    assert packed.rows.token_ids.tolist() == [2, 1, 8, 3, 2, 3, 2, 5, 6, 7, 8, 3]
    assert packed.rows.starts.tolist() == [0, 4, 6, 12]
    assert packed.targets.tolist() == [0, 1, 2, 0, 0, 0, 0, 3, 0, 0, 4, 0]
    assert packed.counted.tolist() == [t > 0 for t in packed.targets]
    assert packed.places.tolist() == [1, 2, 7, 10]
    assert packed.is_first.tolist() == [True] * 4
    assert packed.targets.dtype == "int32"


def test_by_characters(tokenizer):
    packed = pack(tokenizer, ["embed !", "서울a b"], granularity="character")
    #                                  em ##bed !           서 ##울 [UNK]…
    assert packed.rows.token_ids.tolist()[:5] == [2, 5, 6, 8, 3]
    assert packed.places.tolist()[:6] == [1, 1, 2, 2, 2, 3]
    assert packed.is_first.tolist()[:6] == [True, False, True, False, False, True]
    assert packed.targets.tolist()[:5] == [0, 1, 3, 6, 0]  # of each first character


def test_classes_that_do_not_count(tokenizer):
    packed = pack(tokenizer, ["a b !"], classes=[-1, 0, 2])
    assert packed.targets.tolist() == [0, 0, 0, 2, 0]
    assert packed.counted.tolist() == [False, False, True, True, False]
    assert packed.places.tolist() == [1, 2, 3]


def test_windows_train_and_read_each_token_once(tokenizer):
    packed = pack(tokenizer, ["a", "a b a b a b a b a b", "b"], length=6, stride=3)
    # [0, 4) [3, 7) [6, 10) of the ten tokens
    assert packed.rows.lengths.tolist() == [3, 6, 6, 6, 3]
    rows = np.split(packed.rows.token_ids, packed.rows.starts[1:-1])
    assert [row.tolist() for row in rows[1:4]] == [
        [2, 9, 10, 9, 10, 3],
        [2, 10, 9, 10, 9, 3],
        [2, 9, 10, 9, 10, 3],
    ]
    targets = np.split(packed.targets, packed.rows.starts[1:-1])
    assert [row.tolist() for row in targets] == [
        [0, 1, 0],
        [0, 2, 3, 4, 5, 0],
        [0, 0, 6, 7, 8, 0],
        [0, 0, 9, 10, 11, 0],
        [0, 12, 0],
    ]
    assert packed.counted.sum() == 12
    assert packed.targets[packed.places].tolist() == list(range(1, 13))


def test_words_without_tokens_have_no_place(tokenizer):
    words = ["a", "\u200b", "b"]  # the second, a zero-width space, is deleted
    packed = pack_tagged([of_words(words)], np.arange(3), tokenizer, 8, 1)
    assert packed.places.tolist() == [1, -1, 2]
    assert packed.targets.tolist() == [0, 0, 2, 0]


def test_characters_that_leave_nothing_go_with_the_one_before():
    tokenizer = BertTokenizer(TOKENS, lowercase=True)
    # e and a combining accent; a zero-width space within a word, and before one
    packed = pack(tokenizer, ["ae\u0301 b", "\u200b"], granularity="character")
    assert packed.places.tolist()[:4] == [1, 1, 1, 2]
    packed = pack(tokenizer, ["e\u0301 \u200bb"], granularity="character")
    assert packed.places.tolist() == [1, 1, -1, 2]


def test_texts_without_any_unit(tokenizer):
    packed = pack(tokenizer, ["", " "], granularity="character")
    assert packed.rows.token_ids.tolist() == [2, 3, 2, 3]
    tags, scores = unit_tags(np.zeros((4, 2), "float32"), packed, ["O", "B-X"])
    assert (len(tags), len(scores)) == (0, 0)


def test_tags_of_units(tokenizer):
    packed = pack(tokenizer, ["embed ! !"], granularity="character")
    outputs = np.full((6, 3), -50, "float32")
    outputs[[1, 2, 3, 4], [1, 2, 0, 1]] = 50  # em ##bed ! !
    tags, scores = unit_tags(outputs, packed, ["O", "B-X", "I-X"])
    assert tags.tolist() == ["B-X", "I-X", "I-X", "I-X", "I-X", "O", "B-X"]
    assert scores == pytest.approx(1)


def test_probabilities_of_units(tokenizer):
    packed = pack(tokenizer, ["a"])
    outputs = np.log(np.array([[1, 1], [1, 3], [1, 1]], "float32"))
    tags, scores = unit_tags(outputs, packed, ["NOUN", "VERB"])
    assert tags.tolist() == ["VERB"]
    assert scores == pytest.approx([0.75])


def test_units_are_found_as_by_hand(tokenizer):
    # Against a plain loop over tokens and units, on random texts.
    rng = np.random.default_rng(0)
    letters = list("abem!서울é \u200b😀")
    texts = ["".join(rng.choice(letters, rng.integers(12))) for _ in range(60)]
    tokens = tokenizer.slices(texts)
    for granularity in ("word", "character"):
        packed = pack(tokenizer, texts, 32, 5, granularity=granularity)
        expected = []
        for row, example in enumerate(packed.examples):
            first = packed.rows.starts[row] + 1
            _, starts, limits = tokens.text(row)
            slices = [s for s in zip(starts, limits, strict=True)]
            for start, limit in example.units:
                if granularity == "word":
                    own = [start <= a < limit and a < b for a, b in slices]
                else:
                    own = [a <= start < b for a, b in slices]
                expected.append(first + own.index(True) if any(own) else -1)
        found = packed.places.tolist()
        assert len(found) == len(expected)
        if granularity == "character":  # some go with the one before
            found = [b if e >= 0 else -1 for b, e in zip(found, expected, strict=True)]
        assert found == expected
