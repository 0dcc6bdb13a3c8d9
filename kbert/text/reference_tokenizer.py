"""google-research/bert's tokenization in plain Python, without TensorFlow.

Written anew after the rules of `tokenization.py` (BasicTokenizer, WordpieceTokenizer)
with `never_split` empty: a special token typed in a text is text. `kbert.BertTokenizer`
gives the same ids inside a TensorFlow graph.
"""

import unicodedata
from collections.abc import Iterable

from kbert.text.vocabulary import as_vocabulary

# Ranges of "CJK Unified Ideographs" as Google's code lists them. Hangul, Hiragana and
# Katakana are not in it: they are written with spaces, or kept whole as words.
CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)

# Words kept with their ids; about 20 MB when full.
MAX_CACHED_WORDS = 100_000


def is_whitespace(character: str) -> bool:
    """Tab, newline, return and the separators Zs, Zl and Zp (NBSP, U+3000, U+2028)."""
    return character in "\t\n\r" or unicodedata.category(character)[0] == "Z"


def is_deleted(character: str) -> bool:
    """U+0000, U+FFFD and the categories Cc and Cf, but for tab, newline, return."""
    if character in "\t\n\r":
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf")


def is_punctuation(character: str) -> bool:
    """ASCII that is neither letter, digit, space nor control; and categories P*."""
    if character.isascii():
        return character.isprintable() and not (character.isalnum() or character == " ")
    return unicodedata.category(character)[0] == "P"


def is_cjk(character: str) -> bool:
    """An ideograph in one of `CJK_RANGES`."""
    return any(first <= ord(character) <= last for first, last in CJK_RANGES)


class _CleaningTable(dict):
    """A `str.translate` table, filled as characters turn up: drop, space, or keep."""

    def __init__(self, split_on_cjk):
        super().__init__()
        self.split_on_cjk = split_on_cjk

    def __missing__(self, codepoint):
        character = chr(codepoint)
        if is_deleted(character):
            result = None
        elif is_whitespace(character):
            result = " "
        elif self.split_on_cjk and is_cjk(character):
            result = f" {character} "
        else:
            result = character
        self[codepoint] = result
        return result


class ReferenceTokenizer:
    """Text to WordPiece ids, by the rules of google-research/bert.

    The steps: drop control characters, put spaces around ideographs, split on white
    space, lower-case each word (`str.lower`), decompose it and drop its accents, split
    off each punctuation character, then cut the longest piece of the vocabulary from
    the front until nothing is left. A word with a remainder that no piece begins, or
    with too many characters, becomes one unknown token.

        vocabulary [PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !, lowercase=True
            tokenize("Embedding!") -> ["em", "##bed", "##ding", "!"]
            __call__(["Embedding!", "xx"]) -> [[5, 6, 7, 8], [1]]
            detokenize([2, 5, 6, 7, 8, 3]) -> "embedding !"

    Args:
        vocabulary: a `Vocabulary`, the path of a `vocab.txt`, or a list of tokens.
        lowercase: lower-case every word.
        strip_accents: decompose (NFD) and drop the category Mn, which also takes
            Hangul syllables apart; None means the same as `lowercase`.
        split_on_cjk: make every ideograph a word of its own.
        max_characters_per_word: longer words become the unknown token, in characters.

    Raises:
        ValueError: `max_characters_per_word` below 1, or a vocabulary that is not one.
    """

    def __init__(
        self,
        vocabulary,
        lowercase: bool = False,
        strip_accents: bool | None = None,
        split_on_cjk: bool = True,
        max_characters_per_word: int = 200,
    ):
        if max_characters_per_word < 1:
            raise ValueError(
                "max_characters_per_word must be at least 1; got "
                f"{max_characters_per_word}."
            )
        self.vocabulary = as_vocabulary(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_on_cjk = split_on_cjk
        self.max_characters_per_word = max_characters_per_word
        self._table = _CleaningTable(split_on_cjk)
        self._cache = {}

    def __call__(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of each text, without [CLS] and [SEP].

        Raises:
            ValueError: `texts` is one string, not a list of them.
        """
        if isinstance(texts, str):
            raise ValueError(
                f"texts must be a list of strings; got the string {texts[:20]!r}. "
                "Put it in a list."
            )
        return [self._ids(text) for text in texts]

    def tokenize(self, text: str) -> list[str]:
        """The pieces of one text: "Embedding!" -> ["em", "##bed", "##ding", "!"]."""
        return [self.vocabulary.tokens[id] for id in self._ids(text)]

    def detokenize(self, ids: Iterable[int]) -> str:
        """Joins pieces with spaces, glues "##", leaves special tokens out.

        [2, 5, 6, 7, 8, 3] -> "embedding !"
        """
        special = self.vocabulary.special_ids
        tokens = [self.vocabulary.id_to_token(id) for id in ids if id not in special]
        return " ".join(tokens).replace(" ##", "")

    def words(self, text: str) -> list[str]:
        """The text before WordPiece: "Don't  stop" -> ["don", "'", "t", "stop"]."""
        return [
            part
            for word in text.translate(self._table).split()
            for part in self._split_word(word)
        ]

    def _ids(self, text):
        ids = []
        for word in text.translate(self._table).split():
            found = self._cache.get(word)
            if found is None:
                parts = self._split_word(word)
                found = [id for part in parts for id in self._word_pieces(part)]
                if len(self._cache) < MAX_CACHED_WORDS:
                    self._cache[word] = found
            ids += found
        return ids

    def _split_word(self, word):
        if self.lowercase:
            word = word.lower()
        if self.lowercase if self.strip_accents is None else self.strip_accents:
            word = unicodedata.normalize("NFD", word)
            word = "".join(c for c in word if unicodedata.category(c) != "Mn")
        if word.isalnum():
            return [word]
        return "".join(f" {c} " if is_punctuation(c) else c for c in word).split()

    def _word_pieces(self, word):
        if len(word) > self.max_characters_per_word:
            return [self.vocabulary.unknown_id]
        pieces = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = prefix + word[start:end]
                if piece in self.vocabulary:
                    break
            else:
                return [self.vocabulary.unknown_id]
            pieces.append(self.vocabulary.token_to_id(piece))
            start = end
        return pieces
