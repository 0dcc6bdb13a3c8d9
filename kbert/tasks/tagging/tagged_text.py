"""A text cut into units, words or characters, with a tag for each."""

import dataclasses
from collections.abc import Iterable, Sequence

from kbert.metrics.entities import entities_of
from kbert.tasks.tagging.tag_schemes import tags_of
from kbert.text.characters import is_punctuation, is_whitespace

GRANULARITIES = ("word", "character")


@dataclasses.dataclass(frozen=True)
class TaggedText:
    """One example.

    Attributes:
        text: as it is, or words joined by one space.
        units: (start, limit) of each unit in characters, in order: text[start:limit].
        tags: one for each unit, BIO or plain; None where they are to be predicted.
        id: what the file calls it, if it does.
        granularity: "word", or "character" for one unit to each character that is no
            white space.
    """

    text: str
    units: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] | None = None
    id: str | None = None
    granularity: str = "word"

    def __post_init__(self):
        if self.tags is not None and len(self.tags) != len(self.units):
            raise ValueError(
                f"Expected a tag for each of {len(self.units)} units; "
                f"{name_of(self)} has {len(self.tags)}."
            )


def name_of(example: TaggedText) -> str:
    """What to call an example in a message: its id, or how it begins."""
    if example.id is not None:
        return f"example {example.id}"
    text = example.text if len(example.text) <= 40 else example.text[:40] + "…"
    return f"the text {text!r}"


def of_words(
    words: Sequence[str], tags: Sequence[str] | None = None, id: str | None = None
) -> TaggedText:
    """Words joined by one space.

    >>> of_words(["in", "Ulm"])
    TaggedText(text='in Ulm', units=((0, 2), (3, 6)), tags=None, ...)
    """
    units, start = [], 0
    for word in words:
        units.append((start, start + len(word)))
        start += len(word) + 1
    tags = None if tags is None else tuple(tags)
    return TaggedText(" ".join(words), tuple(units), tags, id)


def of_text(text: str, id: str | None = None) -> TaggedText:
    """A text without tags, cut into words by `word_units`."""
    return TaggedText(text, word_units(text), None, id)


def of_spans(
    text: str, spans: Iterable[tuple[str, int, int]], id: str | None = None
) -> TaggedText:
    """A text with entities (type, start, limit) in characters, which come in order.

    By words if every entity begins and ends with one, by characters otherwise:

        >>> words = of_spans("Ulm ist schön", [("LOC", 0, 3)])
        >>> words.units, words.tags
        (((0, 3), (4, 7), (8, 13)), ('B-LOC', 'O', 'O'))
        >>> characters = of_spans("울름은", [("LOC", 0, 2)])
        >>> characters.units, characters.tags
        (((0, 1), (1, 2), (2, 3)), ('B-LOC', 'I-LOC', 'O'))

    White space at the ends of an entity is no part of it.
    """
    units = character_units(text)
    place = {start: i for i, (start, _) in enumerate(units)}
    entities = []
    for kind, start, limit in spans:
        inner = [place[c] for c in range(start, limit) if c in place]
        entities.append((kind, inner[0], inner[-1] + 1))
    tags = tuple(tags_of(entities, len(units)))
    example = TaggedText(text, units, tags, id, "character")
    return example if cut_words(example) else in_units(example, "word")


def character_units(text: str) -> tuple[tuple[int, int], ...]:
    """A unit for each character but white space.

    >>> character_units("a b")
    ((0, 1), (2, 3))
    """
    return tuple((i, i + 1) for i, c in enumerate(text) if not is_whitespace(c))


def word_units(text: str) -> tuple[tuple[int, int], ...]:
    """What stands between white space; punctuation at either end is split off.

        >>> text = "He said: 'don't!'"
        >>> print(*(text[start:limit] for start, limit in word_units(text)))
        He said : ' don't ! '

    Punctuation is what BERT takes for it: the categories P*, and ASCII symbols.
    """
    units, start = [], 0
    for place, character in enumerate(text + " "):
        if is_whitespace(character):
            units += _parts_of_word(text, start, place)
            start = place + 1
    return tuple(units)


def _parts_of_word(text, start, limit):
    first, last = start, limit
    while first < last and is_punctuation(text[first]):
        first += 1
    while first < last and is_punctuation(text[last - 1]):
        last -= 1
    yield from ((i, i + 1) for i in range(start, first))
    if first < last:
        yield first, last
    yield from ((i, i + 1) for i in range(last, limit))


def entities_in(
    example: TaggedText, tags: Sequence[str]
) -> list[tuple[str, int, int, int, int]]:
    """(type, first unit, last unit + 1, start, end in characters) of the entities."""
    return [
        (kind, first, last, example.units[first][0], example.units[last - 1][1])
        for kind, first, last in entities_of(tags)
    ]


def entity_dict(example: TaggedText, kind: str, start: int, end: int) -> dict:
    """An entity as answers have it, its place in characters of the text."""
    text = example.text[start:end]
    return {"type": kind, "text": text, "start": start, "end": end}


def cut_words(example: TaggedText) -> list[str]:
    """The entities that begin or end within a word: 철수 in 철수는."""
    words = word_units(example.text)
    starts, limits = ({word[side] for word in words} for side in (0, 1))
    return [
        example.text[start:end]
        for _, _, _, start, end in entities_in(example, example.tags)
        if start not in starts or end not in limits
    ]


def in_units(example: TaggedText, granularity: str) -> TaggedText:
    """The example by "word" or "character", with the same entities.

        >>> in_units(of_words(["Ulm", "an"], ["B-LOC", "O"]), "character").tags
        ('B-LOC', 'I-LOC', 'I-LOC', 'O', 'O')

    Raises:
        ValueError: by words, an entity that cuts a word.
    """
    if example.granularity == granularity:
        return example
    if granularity == "character":
        return _in_characters(example)
    words = word_units(example.text)
    tags = None
    if example.tags is not None:
        if cut := cut_words(example):
            raise ValueError(
                "Expected entities that begin and end with words, as the tagger's "
                f"granularity is word; {name_of(example)} has {cut[0]!r} within one. "
                "Train with the granularity character."
            )
        first = {start: i for i, (start, _) in enumerate(words)}
        last = {limit: i for i, (_, limit) in enumerate(words)}
        tags = tuple(
            tags_of(
                (
                    (kind, first[start], last[end] + 1)
                    for kind, _, _, start, end in entities_in(example, example.tags)
                ),
                len(words),
            )
        )
    return TaggedText(example.text, words, tags, example.id)


def _in_characters(example):
    units, tags = [], []
    for number, (start, limit) in enumerate(example.units):
        own = [
            (i, i + 1)
            for i in range(start, limit)
            if not is_whitespace(example.text[i])
        ]
        units += own
        if example.tags is not None and own:
            tag = example.tags[number]
            inner = f"I-{tag[2:]}" if tag.startswith("B-") else tag
            tags += [tag] + [inner] * (len(own) - 1)
    return TaggedText(
        example.text,
        tuple(units),
        None if example.tags is None else tuple(tags),
        example.id,
        "character",
    )
