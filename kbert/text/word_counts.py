"""The words of texts and how often each occurs, in bounded memory."""

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

from kbert.disk.text_lines import whole_characters

# Distinct strings between spaces held before they are cut into words; about 150 MB.
MAX_CHUNKS = 1_000_000
# Distinct words counted at a time; about 300 MB, and 2 GB while pieces are learned from
# them. 120 MB of Korean of mixed kinds hold 1.3 million.
MAX_WORDS = 2_000_000


@dataclasses.dataclass
class WordCounts:
    """How often each word and each character was seen.

    Attributes:
        words: word -> count; `MAX_WORDS` of them at most.
        characters: character -> count, without white space; exact.
        error: the most by which a count in `words` is too low, and the most that a
            word missing there can have had; 0 as long as all words fit.
    """

    words: Counter
    characters: Counter
    error: int = 0


def spaced(text: str) -> list[str]:
    """What stands between spaces, tabs and line ends; may hold empty strings.

    Splits nothing that kbert's tokenizers would leave together, as `str.split` does at
    U+000B; the rarer spaces (U+00A0, U+3000) are left for them to find. Halves of
    surrogate pairs become U+FFFD, as there.
    """
    text = whole_characters(text)
    for space in "\n\t\r":
        text = text.replace(space, " ")
    return text.split(" ")


def count_words(texts: Iterable[str], split: Callable[[str], list[str]]) -> WordCounts:
    """Counts the words of texts, read once and brought to NFC.

    Texts are cut at spaces first and `split` runs on what is distinct, which for Korean
    is one string in seven. Words beyond `MAX_WORDS` push out the rarest, by the rule of
    Misra and Gries (1982): the count at the middle rank is taken off every word, and
    who has none left is dropped. Half of the words, each with that count or more, pay
    for it, so that `error` is at most 2 N / MAX_WORDS after N words: 100 for a text of
    100 million words, and in practice much less, as the rarest occur once.

        >>> counts = count_words(
        ...     ["a b, a", "a"], split=lambda chunk: chunk.replace(",", " ,").split()
        ... )
        >>> counts.words, counts.error
        (Counter({'a': 3, 'b': 1, ',': 1}), 0)

    Args:
        texts: any iterable of strings, a generator as well; a text and its words must
            fit in memory.
        split: cuts a string into words, as `ReferenceTokenizer.words`.

    Raises:
        TypeError: a text that is not a string.
    """
    chunks = Counter()
    counts = WordCounts(Counter(), Counter())
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"Expected texts as str; got {type(text).__name__}.")
        chunks.update(spaced(unicodedata.normalize("NFC", text)))
        if len(chunks) >= MAX_CHUNKS:
            _add(chunks, split, counts)
            chunks.clear()
    _add(chunks, split, counts)
    return counts


def _add(chunks, split, counts):
    characters = counts.characters
    for chunk, count in chunks.items():
        for word in split(chunk):
            if len(counts.words) >= MAX_WORDS and word not in counts.words:
                _drop_rarest(counts)
            counts.words[word] += count
            for character in word:
                characters[character] += count


def _drop_rarest(counts):
    """Leaves at most half of the words; the order of those left stays.

    >>> counts = WordCounts(words=Counter(a=2, b=1), characters=Counter())
    >>> _drop_rarest(counts)
    >>> counts.words, counts.error
    (Counter({'a': 1}), 1)
    """
    ranked = sorted(counts.words.values(), reverse=True)
    loss = ranked[len(ranked) // 2]
    counts.words = Counter(
        {word: count - loss for word, count in counts.words.items() if count > loss}
    )
    counts.error += loss
