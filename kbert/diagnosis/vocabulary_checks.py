"""Does the vocabulary fit the settings of its tokenizer? For `kbert doctor`.

Each check takes a `Case` and gives its findings; none means that all is well.
"""

import re
import unicodedata
from collections.abc import Iterator

from kbert.diagnosis.case import Case, Finding, quoted

_SPECIAL = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]|<.+>")
_CAPITAL, _SMALL = re.compile("[A-Z]"), re.compile("[a-z]")
_SYLLABLE = re.compile("[가-힣]")
_ALL_SYLLABLES = re.compile("[가-힣]+")
_JAMO = re.compile("[\u1100-\u11ff]")  # conjoining ones, as NFD makes them
# Below this share of the tokens in question, it is noise: bert-base-chinese has 2
# capitals in 3,700 tokens with Latin letters, KoELECTRA 4 jamo in 35,000 tokens.
_SHARE = 0.01
_FEW = 20  # tokens with Latin letters, or jamo, that say nothing yet
_TOKENIZER, _CONFIG = "tokenizer_config.json", "config.json"


def special_ids(case: Case) -> Iterator[Finding]:
    """The ids that config.json names, and five special tokens that differ."""
    vocabulary = case.vocabulary
    if len(set(vocabulary.special_tokens)) < 5:
        yield Finding(
            "error",
            f"Two special tokens are the same: {quoted(vocabulary.special_tokens)}.",
            f"Spell the five apart in {_TOKENIZER} (pad_token, unk_token, cls_token, "
            "sep_token, mask_token), as they stand in the vocabulary.",
        )
    for field, id in (
        ("unk_token_id", vocabulary.unknown_id),
        ("cls_token_id", vocabulary.cls_id),
        ("sep_token_id", vocabulary.sep_id),
        ("mask_token_id", vocabulary.mask_id),
    ):
        said = (case.config or {}).get(field, id)
        if said not in (id, None):
            yield Finding(
                "error",
                f"config.json says {field} {said}; in the vocabulary that is "
                f"{_token(vocabulary, said)}, and {_token(vocabulary, id)} is {id}.",
                f'Set "{field}": {id} in {_CONFIG}.',
            )
    ids = vocabulary.special_ids
    if case.words is not None and ids[-1] >= len(case.words):
        yield Finding(
            "error",
            f"The special token {_token(vocabulary, ids[-1])} has the id {ids[-1]}, "
            f"past the {len(case.words):,} rows of the token embedding.",
            "Take the vocabulary that the model was trained with.",
        )


def pad_id(case: Case) -> Iterator[Finding]:
    """KoBERT's [PAD] is 1; transformers takes 0 where config.json says nothing."""
    vocabulary = case.vocabulary
    said, is_said = case.config.get("pad_token_id"), "pad_token_id" in case.config
    said = 0 if said is None else said
    if said == vocabulary.pad_id:
        return
    what = (
        f"config.json says pad_token_id {said}"
        if is_said
        else ("config.json does not say pad_token_id, which counts as 0")
    )
    yield Finding(
        "error" if is_said else "warning",
        f"{what}; in the vocabulary that is {_token(vocabulary, said)}, and "
        f"{vocabulary.pad_token} is {vocabulary.pad_id}. transformers never trains the "
        "row of pad_token_id, and fills up with it.",
        f'Set "pad_token_id": {vocabulary.pad_id} in {_CONFIG}.',
    )


def letter_case(case: Case) -> Iterator[Finding]:
    """A cased vocabulary for a tokenizer that keeps capitals, and the reverse."""
    bodies = _bodies(case.vocabulary)
    capitals = [body for body in bodies if _CAPITAL.search(body)]
    small = [body for body in bodies if _SMALL.search(body)]
    default = ""
    if not case.is_lowercase_said:
        default = f", as {_TOKENIZER} does not say do_lower_case"
    is_cased = _is_cased(bodies)
    if case.lowercase and is_cased:
        word = _example(capitals, str.isascii)
        yield Finding(
            "error",
            f"The vocabulary is cased and the tokenizer lower-cases{default}: "
            f'{len(capitals):,} tokens with capitals are never found; "{word}" is '
            f"looked up as "
            f'"{word.lower()}".',
            f'Set "do_lower_case": false in {_TOKENIZER}.',
        )
    elif not case.lowercase and not is_cased and len(small) >= _FEW:
        word = _example(small, str.isascii)
        change = f'Set "do_lower_case": true in {_TOKENIZER}'
        if any(map(_SYLLABLE.search, bodies)):
            change += ', and "strip_accents": false: it has Hangul syllables whole'
        yield Finding(
            "error",
            f"The vocabulary looks uncased ({len(small):,} tokens with Latin letters, "
            f"{len(capitals)} with capitals) and the tokenizer keeps capitals{default}"
            f': "{word.capitalize()}" is '
            f'looked up as it stands, where the vocabulary has "{word}", and mostly '
            "gives [UNK].",
            f"{change}.",
        )


def hangul_and_accents(case: Case) -> Iterator[Finding]:
    """Syllables (NFC) in the vocabulary, or jamo (NFD), as the tokenizer makes them."""
    bodies = _bodies(case.vocabulary)
    syllables = [body for body in bodies if _SYLLABLE.search(body)]
    jamo = [body for body in bodies if _JAMO.search(body)]
    if case.decomposes:
        source = (
            "strip_accents"
            if case.settings.get("strip_accents")
            else ("do_lower_case, which strip_accents follows where it is not set")
        )
        change = f'Set "strip_accents": false in {_TOKENIZER}; do_lower_case may stay.'
        if case.settings.get("strip_accents") is None and _is_cased(bodies):
            change = f'Set "do_lower_case": false in {_TOKENIZER}.'
        if len(syllables) >= max(_SHARE * len(bodies), 1) and len(syllables) > len(
            jamo
        ):
            word = _example(syllables, _ALL_SYLLABLES.fullmatch)
            apart = " ".join(unicodedata.normalize("NFD", word))
            yield Finding(
                "error",
                f"The tokenizer takes Hangul apart (by {source}) and the vocabulary "
                f"has it in whole syllables: {len(syllables):,} of {len(bodies):,} "
                f'tokens are never found; "{word}" is looked up as {apart}, and Korean '
                "text becomes [UNK].",
                change,
            )
            return
        accented = [body for body in bodies if _has_accent(body)]
        if len(accented) >= max(_SHARE * len(bodies), 1):
            yield Finding(
                "error",
                f"The tokenizer strips accents (by {source}) and the vocabulary has "
                f"them: {len(accented):,} of {len(bodies):,} tokens are never found, "
                f"as {quoted(accented)}.",
                change,
            )
    elif len(jamo) >= _FEW or (jamo and len(jamo) >= _SHARE * len(bodies)):
        is_korean = len(jamo) >= _SHARE * len(bodies)
        if syllables and not is_korean:
            return
        yield Finding(
            "error" if is_korean else "note",
            f"The vocabulary has Hangul in decomposed form (NFD), in {len(jamo):,} of "
            f"{len(bodies):,} tokens, and the tokenizer does not decompose: text in "
            "whole syllables (NFC), as nearly all Korean text is, finds none of them.",
            f'Set "strip_accents": true in {_TOKENIZER} if the model was trained so; '
            "or bring the vocabulary into NFC.",
        )


def _bodies(vocabulary):
    """The tokens but the special ones, without "##"."""
    special = set(vocabulary.special_tokens)
    return [
        token.removeprefix("##")
        for token in vocabulary.tokens
        if token not in special and not _SPECIAL.fullmatch(token)
    ]


def _is_cased(bodies):
    capitals = sum(bool(_CAPITAL.search(body)) for body in bodies)
    return capitals > _SHARE * sum(bool(_SMALL.search(body)) for body in bodies)


def _example(bodies, is_plain):
    """The first word of letters that is neither short nor long, else the longest."""
    for body in bodies:
        if 2 <= len(body) <= 12 and body.isalpha() and is_plain(body):
            return body
    return max(bodies, key=len)


def _token(vocabulary, id):
    """The token with an id that may be anything."""
    if isinstance(id, int) and 0 <= id < len(vocabulary):
        return vocabulary.id_to_token(id)
    return "none"


def _has_accent(body):
    decomposed = unicodedata.normalize("NFD", body)
    return any(unicodedata.category(c) == "Mn" for c in decomposed)
