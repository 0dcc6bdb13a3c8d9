"""Tokens that a text holds whole, whatever is in them: entity markers, URLs, names.

Hugging Face's "added tokens". They are found before anything is cut into words, the
longest first, as its library `tokenizers` finds them; what stands between them is
tokenized piece by piece as if each were a text of its own.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from kbert.disk.text_lines import whole_characters

# What `AddedToken`s are told by in the files of Hugging Face; the other flags there
# (lstrip, rstrip) say whose the white space beside a token is, and change no id.
_FLAGS = ("normalized", "single_word", "special", "is_piece")


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that is found whole in a text.

    Attributes:
        content: how it is spelled, in the vocabulary and in texts.
        normalized: found in the text as normalised (lower-cased, without accents),
            spelled the same way; otherwise only as it is typed.
        single_word: found only where neither a letter, a digit nor "_" touches it.
        special: no text of its own: ids become text without it, and no model is asked
            to predict it.
        is_piece: WordPiece may give it too, as any other line of `vocab.txt`; False for
            tokens that stand behind that file.

    Raises:
        ValueError: no content, or control characters in it, which no text keeps.
    """

    content: str
    normalized: bool = False
    single_word: bool = False
    special: bool = False
    is_piece: bool = True

    def __post_init__(self):
        if not isinstance(self.content, str) or not self.content:
            raise ValueError(
                f"An added token must be a string of characters; got {self.content!r}."
            )
        if whole_characters(self.content) != self.content or set(self.content) & set(
            map(chr, (*range(9), *range(14, 32), 0x7F, 0xFFFD))
        ):
            raise ValueError(
                "An added token must hold no control characters, which texts lose; got "
                f"{self.content!r}."
            )
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(
                    f"Expected true or false for {name} of the added token "
                    f"{self.content!r}; got {getattr(self, name)!r}."
                )

    def arguments(self) -> dict:
        """What JSON can hold: the content, and the flags that differ from the defaults.

        >>> AddedToken("<e>", special=True).arguments()
        {'content': '<e>', 'special': True}
        """
        fields = dataclasses.fields(self)
        values = {field.name: getattr(self, field.name) for field in fields}
        return {
            field.name: values[field.name]
            for field in fields
            if field.name == "content" or values[field.name] != field.default
        }


def as_added_token(value) -> AddedToken:
    """An `AddedToken` from one, from its content alone, or from a dict.

    >>> as_added_token({"content": "<e>", "lstrip": False, "special": True})
    AddedToken(content='<e>', normalized=False, single_word=False, special=True,
               is_piece=True)

    Raises:
        ValueError: none of them.
    """
    if isinstance(value, AddedToken):
        return value
    if isinstance(value, dict):
        flags = {name: value[name] for name in _FLAGS if value.get(name) is not None}
        return AddedToken(value.get("content"), **flags)
    return AddedToken(value)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a text: an added token, or what stands between two of them.

    Attributes:
        text: what is to be tokenized; normalised already beside a normalized token.
        places: for each character of it, its place in the text.
        token: the added token it is, or None.
    """

    text: str
    places: Sequence[int]
    token: AddedToken | None = None


class AddedTokenSplitter:
    """Texts to their parts, in plain Python.

        >>> markers = [AddedToken("<e>"), AddedToken("</e>")]
        >>> splitter = AddedTokenSplitter(markers, lambda text: (text, None))
        >>> [part.text for part in splitter("a <e>cat</e>")]
        ['a ', '<e>', 'cat', '</e>']

    Args:
        tokens: those that count.
        normalize: a text to the normalised one, not yet cut at punctuation, and for
            each of its characters the place in the text.
    """

    def __init__(
        self,
        tokens: Iterable[AddedToken],
        normalize: Callable[[str], tuple[str, Sequence[int]]],
    ):
        self.typed, self.normalised = spelled_tokens(
            tokens, lambda text: normalize(text)[0]
        )
        self._typed = _pattern(self.typed)
        self._normalised = _pattern(self.normalised)
        self._normalize = normalize

    def __call__(self, text: str) -> list[Part]:
        """The parts of a text, those without characters left out."""
        parts = [Part(text, range(len(text)))]
        if self.typed:
            parts = _split(parts[0], self._typed, self.typed)
        if self.normalised:
            parts = [
                found
                for part in parts
                for found in ([part] if part.token else self._split_normalised(part))
            ]
        return [part for part in parts if part.text]

    def _split_normalised(self, part):
        text, places = self._normalize(part.text)
        whole = Part(text, [part.places[i] for i in places])
        found = _split(whole, self._normalised, self.normalised)
        # Without a token in it, the part is left to the tokenizer as it came.
        return found if len(found) > 1 else [part]


def spelled_tokens(
    tokens: Iterable[AddedToken], normalize: Callable[[str], str]
) -> tuple[dict[str, AddedToken], dict[str, AddedToken]]:
    """Tokens by what a text spells: as typed, and as normalised.

    Where two are spelled the same, the special one counts, then the first.

    >>> typed, normalised = spelled_tokens(
    ...     [AddedToken("A"), AddedToken("B", normalized=True)], str.lower
    ... )
    >>> list(typed), list(normalised)
    (['A'], ['b'])
    """
    typed, normalised = {}, {}
    for token in sorted(tokens, key=lambda token: not token.special):
        if not token.normalized:
            typed.setdefault(token.content, token)
        elif spelled := normalize(token.content):
            normalised.setdefault(spelled, token)
    return typed, normalised


def lost_added_tokens(vocabulary) -> str:
    """What is lost of a vocabulary where only a list of tokens can be written."""
    contents = [token.content for token in vocabulary.added_tokens]
    more = f" and {len(contents) - 5:,} more" if len(contents) > 5 else ""
    return (
        f"added tokens: {', '.join(contents[:5])}{more} keep their rows, but a text "
        "that spells them is cut into pieces there."
    )


def longest_first(spelled: Iterable[str]) -> list[str]:
    """In the order in which alternatives of a pattern find the longest."""
    return sorted(spelled, key=lambda text: (-len(text), text))


def touches_word(character: str) -> bool:
    """Whether a character is one of a word: a letter, mark, digit or connector.

    >>> [touches_word(c) for c in "a가1_ -"]
    [True, True, True, True, False, False]
    """
    category = unicodedata.category(character)
    return category[0] in "LM" or category in ("Nd", "Nl", "Pc")


def _pattern(spelled):
    return re.compile("|".join(map(re.escape, longest_first(spelled))))


def _split(whole, pattern, tokens):
    """Parts of a part; those between tokens may be empty."""
    text, places = whole.text, whole.places
    parts, end = [], 0
    for match in pattern.finditer(text):
        begin, limit = match.span()
        token = tokens[match[0]]
        if token.single_word and _is_inside_word(text, begin, limit):
            continue
        parts.append(Part(text[end:begin], places[end:begin]))
        parts.append(Part(match[0], places[begin:limit], token))
        end = limit
    return [*parts, Part(text[end:], places[end:])]


def _is_inside_word(text, begin, limit):
    before, after = text[:begin][-1:], text[limit:][:1]
    return any(touches_word(c) for c in (before, after) if c)
