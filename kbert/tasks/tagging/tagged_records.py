"""Records of tagged texts: spans in a text, or tokens with their tags."""

import itertools
from pathlib import Path

from kbert.tasks.tagging.tagged_text import TaggedText, of_spans, of_text, of_words

_WORDS = ("tokens", "words", "text")
_TAGS = ("tags", "ner_tags", "ner")
_SPANS = ("entities",)


def tagged_record(
    record: dict,
    source: str | Path,
    number: int,
    word_column: int | str | None = None,
    tag_column: int | str | None = None,
    is_labelled: bool = True,
) -> TaggedText:
    """The example in one record; a list of words, or a text.

        {"tokens": ["Ulm", "ist"], "tags": ["B-LOC", "O"]}
        {"text": "울름은", "entities": [{"start": 0, "end": 2, "type": "LOC"}]}

    Offsets count characters. An entity may say "label" for "type"; if it says "text",
    that has to stand there. Where the record has an "id" or a "guid", the example has.

    Args:
        record: from column to value.
        source: where it comes from, for messages.
        number: which one it is there, from 1.
        word_column: the column of the words or of the text; by default the first of
            `tokens`, `words`, `text`. Numbers are for files without names.
        tag_column: of the tags (`tags`, `ner_tags`, `ner`), or the spans (`entities`).
        is_labelled: without, tags and spans are left alone.

    Raises:
        ValueError: a column that is not there, tags that are not as many as the words
            or no text, and spans that are empty, overlap, or lie outside the text.
    """
    where = f"{source}, record {number}"
    name = next(
        (str(record[k]) for k in ("id", "guid") if record.get(k) is not None), None
    )
    words = _column(record, word_column, _WORDS, where, "--text-column")
    if isinstance(words, str):
        if not is_labelled:
            return of_text(words, name)
        spans = _column(record, tag_column, _SPANS, where, "--label-column")
        return of_spans(words, _spans(words, spans, where), name)
    _check_strings(words, "words", where)
    if not is_labelled:
        return of_words(words, None, name)
    tags = _column(record, tag_column, _TAGS, where, "--label-column")
    _check_strings(tags, "tags", where)
    if len(tags) != len(words):
        raise ValueError(
            f"Expected a tag for each of {len(words)} words; {where} has {len(tags)}."
        )
    return of_words(words, tags, name)


def _column(record, asked, usual, where, flag):
    names = (asked,) if isinstance(asked, str) and not _is_number(asked) else usual
    for name in names:
        if name in record:
            return record[name]
    raise ValueError(
        f"Expected a column {' or '.join(names)}; {where} has {', '.join(record)}. "
        f"Name it with {flag}."
    )


def _is_number(column):
    return column.lstrip("-").isdigit()


def _check_strings(values, meaning, where):
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise ValueError(
            f"Expected a list of {meaning}, each a string; {where} has {values!r}."
        )
    if not all(value.strip(" ") for value in values):
        raise ValueError(f"Expected {meaning} that are not empty; {where} has one.")


def _spans(text, spans, where):
    """(type, start, limit), in order."""
    if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        raise ValueError(
            'Expected a list of entities, each with "start", "end" and "type"; '
            f"{where} has {spans!r}."
        )
    found = [_span(text, span, where) for span in spans]
    found.sort(key=lambda span: span[1:])
    for (_, start, end), (_, next_start, next_end) in itertools.pairwise(found):
        if next_start < end:
            raise ValueError(
                "Expected entities that do not overlap: a unit has one tag; "
                f"{where} has {text[start:end]!r} ({start} to {end}) and "
                f"{text[next_start:next_end]!r} ({next_start} to {next_end})."
            )
    return found


def _span(text, span, where):
    kind = span.get("type", span.get("label"))
    start, end = span.get("start"), span.get("end")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f'Expected a "type" in each entity; {where} has {span}.')
    is_within = isinstance(start, int) and isinstance(end, int)
    if not is_within or not 0 <= start <= end <= len(text):
        raise ValueError(
            f'Expected "start" and "end" within the {len(text)} characters of the '
            f"text; {where} has {span}."
        )
    if not text[start:end].strip():
        raise ValueError(
            f"Expected entities of at least one letter; {where} has {span}."
        )
    if span.get("text", text[start:end]) != text[start:end]:
        raise ValueError(
            f"Expected {span['text']!r} at {start} to {end}; {where} has "
            f"{text[start:end]!r} there. Offsets count characters (code points), not "
            "bytes, nor UTF-16."
        )
    return kind, start, end
