"""What BERT's tokenization does with each character: two editions of the rules.

"google" is google-research/bert's `tokenization.py`, by the Unicode tables of the
running Python. "huggingface" is the Rust library `tokenizers`, by the tables compiled
into it (`huggingface_unicode.json`, read out of the library by
`benchmarks/make_huggingface_unicode.py`). They differ in few places: the Rust library
deletes private-use characters and keeps the control characters that newer Unicode
versions added, takes newer punctuation and accents for letters, does not split
U+2B820-2B91F, lower-cases after decomposing, and knows no final sigma.
"""

import bisect
import dataclasses
import functools
import json
import types
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

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
# Where a range begins, or ends before: after an odd number of them is inside. The rules
# are asked of every character whenever a process makes its first tokenizer.
_CJK_BOUNDS = sorted(bound for first, last in CJK_RANGES for bound in (first, last + 1))
# All that a rule can touch: no surrogates, nor planes 4 to 13, where nothing lives.
CODEPOINTS = (*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0x110000))
HUGGINGFACE_TABLES = Path(__file__).with_name("huggingface_unicode.json")


@dataclasses.dataclass(frozen=True)
class CharacterRules:
    """One edition of the rules; every function takes one character, but for two.

    `lower` and `decompose` (NFD, canonical order included) take a whole word: what a
    sigma or an accent becomes depends on its neighbours. `combining` is the canonical
    combining class. `lowers_first`: lower-case before decomposing, or after.
    """

    is_deleted: Callable[[str], bool]
    is_whitespace: Callable[[str], bool]
    is_punctuation: Callable[[str], bool]
    is_cjk: Callable[[str], bool]
    is_accent: Callable[[str], bool]
    lower: Callable[[str], str]
    decompose: Callable[[str], str]
    combining: Callable[[str], int]
    lowers_first: bool


def character_rules(compatibility: str) -> CharacterRules:
    """The rules of "google" or "huggingface".

    Raises:
        ValueError: any other name.
    """
    if compatibility == "google":
        return GOOGLE_RULES
    if compatibility == "huggingface":
        return _huggingface_rules()
    raise ValueError(
        f'compatibility must be "google" or "huggingface"; got {compatibility!r}.'
    )


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


def has_accents(text: str) -> bool:
    """Whether stripping accents changes a text; it takes Hangul syllables apart, too.

    >>> has_accents("é"), has_accents("각"), has_accents("e字")
    (True, True, False)
    """
    return any(
        "가" <= c <= "힣" or any(map(_is_accent, unicodedata.normalize("NFD", c)))
        for c in text
        if not c.isascii()
    )


def is_cjk(character: str) -> bool:
    """An ideograph in one of `CJK_RANGES`."""
    return bisect.bisect_right(_CJK_BOUNDS, ord(character)) % 2 == 1


def _is_accent(character):
    return unicodedata.category(character) == "Mn"


GOOGLE_RULES = CharacterRules(
    is_deleted=is_deleted,
    is_whitespace=is_whitespace,
    is_punctuation=is_punctuation,
    is_cjk=is_cjk,
    is_accent=_is_accent,
    lower=str.lower,
    decompose=functools.partial(unicodedata.normalize, "NFD"),
    combining=unicodedata.combining,
    lowers_first=True,
)


@functools.cache
def _huggingface_rules():
    tables = json.loads(HUGGINGFACE_TABLES.read_text("utf-8"))

    def members(name):
        ranges = tables[name]
        return {chr(c) for first, last in ranges for c in range(first, last + 1)}

    lower = {int(c): text for c, text in tables["lowercase_long"].items()}
    for first, last, step, shift in tables["lowercase"]:
        for codepoint in range(first, last + 1, step):
            lower[codepoint] = codepoint + shift
    # Decompositions never change once they are in Unicode; which there are does.
    pieces = {ord(c): unicodedata.normalize("NFD", c) for c in members("decomposable")}
    pieces |= {c: unicodedata.normalize("NFD", chr(c)) for c in range(0xAC00, 0xD7A4)}
    marks = members("marks")

    def combining(character):
        return unicodedata.combining(character) if character in marks else 0

    def decompose(word):
        return in_canonical_order(word.translate(pieces), combining)

    def is_cjk_there(character):
        return is_cjk(character) and not 0x2B820 <= ord(character) <= 0x2B91F

    return CharacterRules(
        is_deleted=members("deleted").__contains__,
        is_whitespace=members("whitespace").__contains__,
        is_punctuation=members("punctuation").__contains__,
        is_cjk=is_cjk_there,
        is_accent=members("accents").__contains__,
        lower=lambda word: word.translate(lower),
        decompose=decompose,
        combining=combining,
        lowers_first=False,
    )


def in_canonical_order(text: str, combining: Callable[[str], int]) -> str:
    r"""Sorts each run of marks by combining class, equal ones as they stood.

    Their classes here are 0, 230, 220, 0:

        >>> print(ascii(in_canonical_order("a\u0301\u0323b", unicodedata.combining)))
        'a\u0323\u0301b'
    """
    ordered, run = [], []
    for character in text:
        if combining(character):
            run.append(character)
            continue
        ordered += sorted(run, key=combining)
        run = []
        ordered.append(character)
    return "".join(ordered + sorted(run, key=combining))


def _each(text, is_it, become):
    """Characters of a text that are something, made something else.

    >>> _each("a!b", lambda c: c == "!", " {} "), _each("!", lambda c: c == "!", "")
    ('a ! b', '')
    """
    if len(text) == 1:  # nearly always, of all of Unicode
        return become.format(text) if is_it(text) else text
    return "".join(become.format(c) if is_it(c) else c for c in text)


@functools.cache
def replacements(
    lowercase: bool,
    strip_accents: bool,
    split_on_cjk: bool,
    compatibility: str,
    keeps_accents: bool = False,
    splits_punctuation: bool = True,
) -> Mapping[str, str]:
    """What each character of Unicode becomes before the text is cut at spaces.

    Characters that stay as they are, are left out. A word's neighbours matter in two
    places, for which a table of characters is not enough: the final sigma, and accents
    that are out of order.

        lowercase, no accents: "É" -> "e", "!" -> " ! ", "字" -> " 字 ", U+200B -> ""

    Args:
        lowercase, strip_accents, split_on_cjk, compatibility: as in `BertTokenizer`.
        keeps_accents: decompose, but drop no accent and split off no punctuation: the
            text as it is before its accents are brought in order.
        splits_punctuation: set punctuation apart; off for what added tokens are looked
            for in.
    """
    rules = character_rules(compatibility)
    found = {}
    for character in map(chr, CODEPOINTS):
        if rules.is_deleted(character):
            found[character] = ""
            continue
        if rules.is_whitespace(character):
            found[character] = " "
            continue
        text = character
        if lowercase and rules.lowers_first:
            text = rules.lower(text)
        if strip_accents:
            text = rules.decompose(text)
            if not keeps_accents:
                text = _each(text, rules.is_accent, "")
        if lowercase and not rules.lowers_first:
            text = rules.lower(text)
        if splits_punctuation and not keeps_accents:
            text = _each(text, rules.is_punctuation, " {} ")
        if split_on_cjk and rules.is_cjk(character):
            text = f" {text} "
        if text != character:
            found[character] = text
    return types.MappingProxyType(found)  # kept for the next tokenizer
