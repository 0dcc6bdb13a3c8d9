import unicodedata
from collections import Counter

import numpy as np
import pytest

from kbert.text import word_counts
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.word_counts import count_words, spaced

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def split(text):
    return ReferenceTokenizer(SPECIAL).words(text)


def test_example():
    counts = count_words(["a b, a", "a"], split)
    assert counts.words == {"a": 3, "b": 1, ",": 1}
    assert counts.characters == counts.words
    assert counts.error == 0


def test_words_are_those_of_the_tokenizer():
    text = "나는\u00a0갔다.\t字字\u3000a\x0bb\r\nab\u200bc 끝\n\n나는"
    nfd = unicodedata.normalize("NFD", text)
    expected = Counter(split(unicodedata.normalize("NFC", text)))
    assert expected["나는"] == 2 and expected["字"] == 2 and expected["ab"] == 1
    for texts in ([text], [nfd], text.split("\n"), (line for line in [text])):
        counts = count_words(texts, split)
        assert counts.words == expected
        assert counts.characters == Counter("".join(expected.elements()))


def test_spaced_leaves_the_rarer_spaces():
    assert spaced("a b\tc\r\n\u00a0") == ["a", "b", "c", "", "\u00a0"]
    assert spaced("a\x0bb\x1cc") == ["a\x0bb\x1cc"]


def test_small_buffers_change_nothing(monkeypatch):
    texts = [f"a{i % 7} b{i % 11}, c{i}" for i in range(300)]
    whole = count_words(texts, split)
    monkeypatch.setattr(word_counts, "MAX_CHUNKS", 5)
    pieces = count_words(iter(texts), split)
    assert pieces.words == whole.words
    assert pieces.characters == whole.characters


def test_the_rarest_are_dropped():
    # a and b are there when c comes: both lose 1, and nothing but the new word is left.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_counts, "MAX_WORDS", 2)
        counts = count_words(["a a a b", "c"], split)
    assert counts.words == {"a": 2, "c": 1}
    assert counts.error == 1
    assert counts.characters == {"a": 3, "b": 1, "c": 1}


def test_memory_is_bounded_and_the_error_too(monkeypatch):
    largest = 0

    class Watched(Counter):
        def __setitem__(self, key, value):
            nonlocal largest
            super().__setitem__(key, value)
            largest = max(largest, len(self))

    rng = np.random.default_rng(0)
    frequent = [f"f{i}" for i in range(20)] * 100
    words = frequent + [f"r{i}" for i in range(5000)]
    texts = [" ".join(part) for part in np.split(rng.permutation(words), 100)]
    monkeypatch.setattr(word_counts, "Counter", Watched)
    monkeypatch.setattr(word_counts, "MAX_WORDS", 200)
    monkeypatch.setattr(word_counts, "MAX_CHUNKS", 150)
    counts = count_words(iter(texts), split)
    assert largest <= 219  # 200 words; or 149 chunks and the 70 words of one text
    assert len(counts.words) <= 200
    assert 0 < counts.error <= 2 * len(words) / 200
    for word in set(frequent):
        assert 100 - counts.error <= counts.words[word] <= 100
    assert counts.characters == Counter("".join(words))
    again = count_words(iter(texts), split)
    assert list(again.words.items()) == list(counts.words.items())


def test_not_strings():
    with pytest.raises(TypeError, match="Expected texts as str; got bytes"):
        count_words([b"a"], split)


def test_halves_of_surrogate_pairs():
    counts = count_words(["a\ud83d b"], split)
    assert counts.words == count_words(["a\ufffd b"], split).words
    assert "\ud83d" not in counts.characters
