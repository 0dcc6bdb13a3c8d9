"""Tag schemes of the field's files, and their conversion to BIO.

    BIO     B-PER I-PER O B-LOC B-LOC     every entity begins with B-
    IOB1    I-PER I-PER O I-LOC B-LOC     B- only right behind one of the same type
    BIOES   B-PER E-PER O S-LOC S-LOC     also as BILOU (L, U) and BMES (M)

The letter may stand at the end, and an underscore for the hyphen: PER-B, PER_B, B_PER.
Tags without such letters (parts of speech) are plain and stay as they are.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from kbert.metrics.entities import Entity, entities_of

SCHEMES = ("BIO", "IOB1", "BIOES")

_LETTERS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
_NAMED = {
    "prefix": re.compile(r"(?P<letter>[A-Z])[-_](?P<type>.+)", re.DOTALL),
    "suffix": re.compile(r"(?P<type>.+)[-_](?P<letter>[A-Z])", re.DOTALL),
}
_OUTSIDE = ("O", "-")  # the second in the files of Naver's contest


@dataclasses.dataclass(frozen=True)
class TagScheme:
    """How a file writes entities.

    Attributes:
        form: where the letter stands, "prefix" or "suffix"; "plain" if there is none.
        name: one of `SCHEMES`; without meaning for "plain".
    """

    form: str
    name: str = "BIO"

    def canonical(self, tag: str) -> str:
        """One tag with one of the letters B, I, E, S before a hyphen, or O.

            >>> prefix, suffix = TagScheme("prefix"), TagScheme("suffix")
            >>> [prefix.canonical(tag) for tag in ("B_PER", "U-PER", "X-PER", "PER")]
            ['B-PER', 'S-PER', 'I-PER', 'I-PER']
            >>> [suffix.canonical(tag) for tag in ("PER_B", "-")]
            ['B-PER', 'O']

        An unknown letter counts as I, as to conlleval.
        """
        if self.form == "plain":
            return tag
        if tag in _OUTSIDE:
            return "O"
        match = _NAMED[self.form].fullmatch(tag)
        if match is None:
            return f"I-{tag}"
        return f"{_LETTERS.get(match['letter'], 'I')}-{match['type']}"

    def to_bio(self, tags: Sequence[str]) -> tuple[list[str], list[int]]:
        """The tags in BIO, and the numbers of those that break the scheme.

            >>> TagScheme("prefix", "BIO").to_bio(["O", "I-PER", "I-PER"])
            (['O', 'B-PER', 'I-PER'], [1])
            >>> TagScheme("prefix", "BIOES").to_bio(["E-PER", "O"])
            (['B-PER', 'O'], [0])

        What breaks it is read by conlleval's rules; nothing is dropped.
        """
        if self.form == "plain":
            return list(tags), []
        given = [self.canonical(tag) for tag in tags]
        entities = entities_of(given)
        expected = tags_of(entities, len(given), self.name)
        broken = [
            i
            for i, tag in enumerate(tags)
            if given[i] != expected[i] or not (tag in _OUTSIDE or self._knows(tag))
        ]
        return tags_of(entities, len(given)), broken

    def _knows(self, tag):
        match = _NAMED[self.form].fullmatch(tag)
        return match is not None and match["letter"] in _LETTERS


def recognised(sequences: Iterable[Sequence[str]]) -> TagScheme:
    """The scheme of tag sequences: that which they break least, BIO if it is equal.

    Entities are tagged if at least half of the different tags, O aside, have one of the
    letters.
    """
    sequences = [list(tags) for tags in sequences]
    tags = {tag for sequence in sequences for tag in sequence} - set(_OUTSIDE)
    forms = {form: sum(TagScheme(form)._knows(tag) for tag in tags) for form in _NAMED}
    form = max(forms, key=forms.get)
    if 2 * forms[form] < len(tags):
        return TagScheme("plain")
    broken = {
        name: sum(len(TagScheme(form, name).to_bio(tags)[1]) for tags in sequences)
        for name in SCHEMES
    }
    return TagScheme(form, min(broken, key=broken.get))


def tags_of(entities: Iterable[Entity], length: int, scheme: str = "BIO") -> list[str]:
    """Tags of a sequence with these entities, which come in order.

    >>> entities = [("PER", 0, 2), ("PER", 2, 3)]
    >>> for scheme in SCHEMES:
    ...     print(*tags_of(entities, 4, scheme))
    B-PER I-PER B-PER O
    I-PER I-PER B-PER O
    B-PER E-PER S-PER O
    """
    tags = ["O"] * length
    last = ("", 0, 0)
    for entity in entities:
        kind, start, limit = entity
        tags[start:limit] = [f"I-{kind}"] * (limit - start)
        if scheme != "IOB1" or last[::2] == (kind, start):
            tags[start] = f"B-{kind}"
        if scheme == "BIOES":
            tags[limit - 1] = f"E-{kind}" if limit - start > 1 else f"S-{kind}"
        last = entity
    return tags


def labels_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The classes for BIO or plain tags: O first, then sorted, both letters by type.

    >>> labels_of({"O", "B-PER", "I-LOC"})
    ('O', 'B-LOC', 'B-PER', 'I-LOC', 'I-PER')
    """
    tags = set(tags)
    if recognised([tags]).form != "plain":
        types = {tag[2:] for tag in tags if tag != "O"}
        tags = {f"{letter}-{kind}" for letter in "BI" for kind in types} | {"O"}
    return tuple(sorted(tags, key=lambda tag: (tag != "O", tag)))
