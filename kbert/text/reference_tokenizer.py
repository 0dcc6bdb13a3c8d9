"""BERT's tokenization in plain Python, without TensorFlow, rule by rule.

Written anew after the rules of google-research/bert's `tokenization.py`
(BasicTokenizer, WordpieceTokenizer) with `never_split` empty: a special token typed in
a text is text. `kbert.BertTokenizer` gives the same ids and offsets inside a TensorFlow
graph.
"""

from collections.abc import Iterable

from kbert.disk.text_lines import whole_characters
from kbert.text.added_tokens import AddedTokenSplitter, Part
from kbert.text.characters import character_rules
from kbert.text.tokenizer_protocol import as_rows, as_texts
from kbert.text.vocabulary import as_vocabulary
from kbert.text.word_piece import filled_word_piece, longest_word, word_piece_config

# Words kept with their ids; about 20 MB when full.
MAX_CACHED_WORDS = 100_000


class _CleaningTable(dict):
    """A `str.translate` table, filled as characters turn up: drop, space, or keep."""

    def __init__(self, rules, split_on_cjk):
        super().__init__()
        self.rules = rules
        self.split_on_cjk = split_on_cjk

    def __missing__(self, codepoint):
        character = chr(codepoint)
        if self.rules.is_deleted(character):
            result = None
        elif self.rules.is_whitespace(character):
            result = " "
        elif self.split_on_cjk and self.rules.is_cjk(character):
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
    with too many characters, becomes one unknown token. Added tokens of the vocabulary
    (`kbert.text.added_tokens`) are found before all of it.

        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed ##ding !".split()
        >>> tokenizer = ReferenceTokenizer(tokens, lowercase=True)
        >>> tokenizer(["Embedding!", "xx"]), tokenizer.tokenize("Embedding!")
        ([[5, 6, 7, 8], [1]], ['em', '##bed', '##ding', '!'])
        >>> tokenizer.tokenize_with_offsets("Embedding !")
        [(5, 0, 2), (6, 2, 5), (7, 5, 9), (8, 10, 11)]
        >>> tokenizer.detokenize([2, 5, 6, 7, 8, 3])
        'embedding !'

    These speak of one text, or of a list of them where they are given one; the methods
    that all tokenizers share, of batches (`kbert.text.tokenizer_protocol`).

    Args:
        vocabulary: a `Vocabulary`, the path of a `vocab.txt`, or a list of tokens.
        lowercase: lower-case every word.
        strip_accents: decompose (NFD) and drop the category Mn, which also takes
            Hangul syllables apart; None means the same as `lowercase`.
        split_on_cjk: make every ideograph a word of its own.
        max_characters_per_word: longer words become the unknown token, in characters;
            None means 200, or 100 with "huggingface".
        compatibility: "google", or "huggingface" for the ids of the Rust library
            `tokenizers`; they differ in rare characters (`kbert.text.characters`).
        special_tokens_in_text: whether "[MASK]" in a text, exactly so spelled, is the
            token [MASK], and so for the other four; or a list of those for which it
            is. Leave it off for text of users.

    Raises:
        ValueError: `max_characters_per_word` below 1, an unknown `compatibility`, or a
            vocabulary that is not one.
    """

    is_sentencepiece = False
    in_graph = False
    sequence_length = None

    def __init__(
        self,
        vocabulary,
        lowercase: bool = False,
        strip_accents: bool | None = None,
        split_on_cjk: bool = True,
        max_characters_per_word: int | None = None,
        compatibility: str = "google",
        special_tokens_in_text: bool | list[str] = False,
    ):
        self.vocabulary = as_vocabulary(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_on_cjk = split_on_cjk
        self.max_characters_per_word = max_characters_per_word
        self.compatibility = compatibility
        self.special_tokens_in_text = special_tokens_in_text
        self._rules = character_rules(compatibility)
        self._strips = lowercase if strip_accents is None else strip_accents
        self._most = longest_word(max_characters_per_word, compatibility)
        self._table = _CleaningTable(self._rules, split_on_cjk)
        self._cache = {}
        self.whole_tokens = self.vocabulary.whole_tokens(special_tokens_in_text)
        self._split = None
        if self.whole_tokens:
            self._split = AddedTokenSplitter(self.whole_tokens, self.normalised)

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
        return [self._ids(text) for text in as_texts(texts)]

    def tokenize(self, text: str | list[str]) -> list:
        """The pieces of one text.

        Of a list of texts, a list of them.
        """
        if isinstance(text, str):
            return self.pieces(text)[0]
        return self.pieces(text)

    def tokenize_with_offsets(self, text: str | list[str]) -> list:
        """The ids of one text with their places: (id, start, limit) for each token.

        `text[start:limit]` is what the token was made of, in characters of the text as
        it was given. Slices are in order and never overlap: where one character gives
        several tokens (a syllable taken apart), it belongs to the first of them, and
        the others have an empty slice behind it. Characters that leave nothing behind
        (white space, controls, stripped accents) belong to a token only inside its
        slice. Of a list of texts, a list of such lists.
        """
        if isinstance(text, str):
            return self.located(text)[0]
        return self.located(text)

    def detokenize(self, ids: Iterable[int]) -> str:
        """Joins pieces with spaces, glues "##", leaves special tokens out."""
        special = self.vocabulary.special_ids
        tokens = [self.vocabulary.id_to_token(id) for id in ids if id not in special]
        return " ".join(tokens).replace(" ##", "")

    def ids(self, texts):
        """The ids of each text: see `Tokenizer`."""
        return [self._ids(text) for text in as_texts(texts)]

    def pieces(self, texts):
        """The tokens of each text: see `Tokenizer`."""
        tokens = self.vocabulary.tokens
        return [[tokens[id] for id in row] for row in self.ids(texts)]

    def located(self, texts):
        """(id, start, limit) of each token of each text: see `Tokenizer`."""
        return [self._located(text) for text in as_texts(texts)]

    def slices(self, texts):
        """`TokenSlices` of the texts: see `Tokenizer`."""
        import numpy as np

        from kbert.text.token_slices import joined_slices

        rows = self.located(texts)
        located = np.array([token for row in rows for token in row], "int32")
        columns = tuple(located.reshape(-1, 3).T)
        return joined_slices([columns], [[len(row) for row in rows]])

    def texts(self, ids):
        """The text of each row of ids: see `Tokenizer`."""
        return [self.detokenize(row) for row in as_rows(ids)]

    def filled(self, before, token, after):
        """A text with a token where a mask was: see `filled_word_piece`."""
        return filled_word_piece(before, token, after)

    def with_special_tokens_in_text(self, which):
        """The same tokenizer but for `special_tokens_in_text`."""
        return self.from_config(self.get_config() | {"special_tokens_in_text": which})

    def as_reference(self):
        """Itself."""
        return self

    def get_config(self) -> dict:
        """The constructor's arguments, as `BertTokenizer` has them."""
        return word_piece_config(self)

    @classmethod
    def from_config(cls, config: dict):
        """The tokenizer that gave the config."""
        return cls(**config)

    def words(self, text: str) -> list[str]:
        """The text before WordPiece.

        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
        >>> ReferenceTokenizer(tokens, lowercase=True).words("Don't  stop")
        ['don', "'", 't', 'stop']
        """
        words = []
        for part in self._parts(whole_characters(text)):
            if part.token:
                words.append(part.token.content)
                continue
            for word in part.text.translate(self._table).split():
                words += self._split_word(word)
        return words

    def normalised(self, text: str) -> tuple[str, list[int]]:
        """The text before it is split at punctuation, and the place of each character.

        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
        >>> ReferenceTokenizer(tokens, lowercase=True).normalised("É\u200b字!")
        ('e 字 !', [0, 2, 2, 2, 3])
        """
        cleaned = [(c, i) for i, x in enumerate(text) for c in x.translate(self._table)]
        text, at = self._recased("".join(c for c, _ in cleaned))
        return text, [cleaned[i][1] for i in at]

    def _parts(self, text):
        if self._split is None:
            return [Part(text, range(len(text)))]
        return self._split(text)

    def _ids(self, text):
        ids = []
        for part in self._parts(text):
            if part.token:
                ids.append(self.vocabulary.token_to_id(part.token.content))
                continue
            for word in part.text.translate(self._table).split():
                found = self._cache.get(word)
                if found is None:
                    words = self._split_word(word)
                    found = [id for word in words for id in self._word_ids(word)]
                    if len(self._cache) < MAX_CACHED_WORDS:
                        self._cache[word] = found
                ids += found
        return ids

    def _located(self, text):
        found, taken = [], 0
        for part in self._parts(text):
            if part.token:
                id = self.vocabulary.token_to_id(part.token.content)
                tokens = [(id, 0, len(part.text))]
            else:
                tokens = self._located_tokens(part.text)
            for id, start, limit in tokens:
                start = max(part.places[start], taken)
                taken = max(part.places[limit - 1] + 1, start)
                found.append((id, start, taken))
        return found

    def _split_word(self, word):
        rules = self._rules
        if self.lowercase and rules.lowers_first:
            word = rules.lower(word)
        if self._strips:
            word = rules.decompose(word)
            word = "".join(c for c in word if not rules.is_accent(c))
        if self.lowercase and not rules.lowers_first:
            word = rules.lower(word)
        if word.isalnum():
            return [word]
        return "".join(f" {c} " if rules.is_punctuation(c) else c for c in word).split()

    def _word_ids(self, word):
        return [id for id, _ in self._word_pieces(word)]

    def _word_pieces(self, word):
        """(id, how many characters of the word) for each piece."""
        if len(word) <= self._most:
            pieces, is_whole = self.vocabulary.cut(word)
            if is_whole:
                lengths = [len(pieces[0]), *(len(piece) - 2 for piece in pieces[1:])]
                return list(zip(map(self.vocabulary.token_to_id, pieces), lengths))
        return [(self.vocabulary.unknown_id, len(word))]

    def _located_tokens(self, text):
        """(id, start, limit) for each token; slices of one character may overlap."""
        found = []
        for word, sources in self._located_words(text):
            at = 0
            for id, length in self._word_pieces(word):
                last = sources[at + length - 1]
                found.append((id, sources[at], last + 1))
                at += length
        return found

    def _located_words(self, text):
        """The words, each with the place in the text of every character of it."""
        cleaned = [(c, i) for i, x in enumerate(text) for c in x.translate(self._table)]
        for word, places in _split(cleaned):
            for part, at in self._located_parts(word):
                yield part, [places[i] for i in at]

    def _located_parts(self, word):
        """`_split_word`, with the place in the word of every character."""
        word, places = self._recased(word)
        spaced = []
        for character, place in zip(word, places):
            is_alone = self._rules.is_punctuation(character)
            spaced += [
                (c, place) for c in (f" {character} " if is_alone else character)
            ]
        return _split(spaced)

    def _recased(self, word):
        """Lower-cased and without accents; and the place of every character."""
        rules, places = self._rules, list(range(len(word)))

        def follow(change, word, places):
            """Each step makes of a character what it makes of it alone, or as many."""
            counts = [len(change(character)) for character in word]
            places = [place for place, n in zip(places, counts) for _ in range(n)]
            return change(word), places

        if self.lowercase and rules.lowers_first:
            word, places = follow(rules.lower, word, places)
        if self._strips:
            # Accents that change places take the place they come to.
            word, places = follow(rules.decompose, word, places)
            kept = [(c, i) for c, i in zip(word, places) if not rules.is_accent(c)]
            word, places = "".join(c for c, _ in kept), [i for _, i in kept]
        if self.lowercase and not rules.lowers_first:
            word, places = follow(rules.lower, word, places)
        return word, places


def _split(located):
    """`str.split` on characters with places: (word, places) for each word."""
    word, places = "", []
    for character, place in [*located, (" ", None)]:
        if not character.isspace():
            word += character
            places.append(place)
        elif word:
            yield word, places
            word, places = "", []
