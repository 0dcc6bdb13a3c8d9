"""Files of tagged texts: CoNLL's columns, KLUE's characters, spans and tokens in JSON.

    CoNLL   Ulm<TAB>B-LOC, a line for each word, a blank line behind each sentence;
            more columns, or spaces instead of tabs, are fine
    Naver   1<TAB>울름은<TAB>LOC_B: a first column that counts the words
    KLUE    ## ID<TAB>sentence, then a line for each character: 울<TAB>B-LC
    JSON    {"text": "울름은", "entities": [{"start": 0, "end": 2, "type": "LOC"}]} or
            {"tokens": ["Ulm", "ist"], "tags": ["B-LOC", "O"]}; TFDS has such, too

Whatever the scheme of the tags (`kbert.tasks.tagging.tag_schemes`), it comes out as
BIO.
"""

import dataclasses
import itertools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from kbert.tasks.data.records import read_records, text_lines
from kbert.tasks.data.tfds import is_tfds
from kbert.tasks.tagging.tag_schemes import recognised
from kbert.tasks.tagging.tagged_records import tagged_record
from kbert.tasks.tagging.tagged_text import (
    TaggedText,
    character_units,
    of_text,
    of_words,
)
from kbert.text.characters import is_whitespace

_LOOKED_AT = 1000  # sentences from which the scheme of the tags is recognised
_SNIFFED = 200  # lines from which the format is
_CONLLU_RANGE = re.compile(r"\d+[-.]\d+")  # 1-2 du, above 1 de and 2 le; 1.1 unsaid


def read_tagged(
    source: str | Path,
    encoding: str = "utf-8",
    word_column: int | str | None = None,
    tag_column: int | str | None = None,
    is_labelled: bool = True,
) -> Iterator[TaggedText]:
    """The examples of a file, or of `tfds:NAME:SPLIT`, one at a time.

    The format shows in the suffix (.jsonl, .json, .csv) and in the first lines: KLUE's
    begin with ##. Without labels, a .tsv or .csv file with a column `text` in its
    header is read as well, and a .txt file that has no columns, one text a line.

    In KLUE's files white space has tags of its own; it is read past, as KLUE's own
    scorer does. An entity is not cut by it.

    Args:
        source: a path, or a dataset.
        encoding: of the file.
        word_column: number of the column of the words, from 0; or the name of the
            words, or the text, in records. By default 0, or 1 if column 0 counts the
            words; "tokens", "words" or "text".
        tag_column: the same for the tags or the spans; by default -1, the last one;
            "tags", "ner_tags", "ner" or "entities".
        is_labelled: without, the tags are left alone and come as None.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: a line or a record that does not fit its format; it is named.

    Warns of tags that break the scheme of the others; they are read by conlleval's
    rules.
    """
    kind = _kind(source, encoding, word_column, is_labelled)
    if kind == "lines":
        yield from map(of_text, text_lines(source, encoding))
        return
    columns = (word_column, tag_column, is_labelled)
    if kind == "records":
        found = (
            (tagged_record(record, source, number, *columns), itertools.repeat(number))
            for number, record in enumerate(read_records(source, encoding), 1)
        )
    elif kind == "characters":
        found = _characters(text_lines(source, encoding), source, is_labelled)
    else:
        found = _sentences(text_lines(source, encoding), source, *columns)
    if is_labelled:
        found = _in_bio(found, source, "record" if kind == "records" else "line")
    examples = (example for example, _ in found)
    yield from map(_without_space, examples) if kind == "characters" else examples


def _kind(source, encoding, word_column, is_labelled):
    """ "records", "characters" (KLUE), "columns" (CoNLL), or "lines" of plain text."""
    suffix = Path(source).suffix
    if is_tfds(source) or suffix in (".json", ".jsonl", ".csv"):
        return "records"
    lines = list(itertools.islice(text_lines(source, encoding), _SNIFFED))
    lines = [line for line in lines if line.strip()]
    content = [line for line in lines if not line.startswith("##")]
    if lines and content and lines[0].startswith("##") and content[0][1:2] == "\t":
        return "characters"
    if is_labelled or not lines:
        return "columns"
    text_column = word_column if isinstance(word_column, str) else "text"
    if suffix == ".tsv" and text_column in lines[0].split("\t"):
        return "records"
    widths = {len(_fields(line)) for line in lines if not line.startswith("#")}
    has_columns = widths == {len(_fields(lines[-1]))} and widths != {1}
    # Two or three lines of prose may have as many words each.
    is_sure = any("\t" in line for line in lines) or len(lines) >= 5
    return "lines" if suffix == ".txt" and not (has_columns and is_sure) else "columns"


def _in_bio(found, source, unit):
    """(example, places) with tags in BIO; warns at the end of those that break theirs.

    Args:
        found: (example, places): where in the source each of its units stands.
        unit: what the places count, "line" or "record".
    """
    looked_at = list(itertools.islice(found, _LOOKED_AT))
    scheme = recognised(example.tags for example, _ in looked_at)
    count, first = 0, ""
    for example, places in itertools.chain(looked_at, found):
        tags, broken = scheme.to_bio(example.tags)
        if broken and not count:
            place = next(itertools.islice(places, broken[0], None))
            first = f"{example.tags[broken[0]]!r} in {unit} {place}"
        count += len(broken)
        yield dataclasses.replace(example, tags=tuple(tags)), places
    if count:
        warnings.warn(
            f"{source}: {count} tag{'s' if count > 1 else ''} out of the order of "
            f"{scheme.name} (first: {first}). Read by conlleval's rules: an entity "
            "begins where the type changes, and an unknown letter counts as I. Nothing "
            "is dropped.",
            stacklevel=2,
        )


def _sentences(lines, source, word_column, tag_column, is_labelled):
    """The sentences of CoNLL's columns, and the lines of their words."""
    blocks = _blocks(lines, source)
    looked_at = list(itertools.islice(blocks, 100))
    if not looked_at:
        raise ValueError(f"Expected sentences, a word a line; {source} has none.")
    is_counted = _is_counted(looked_at, 3 if is_labelled else 2)
    word_column = int(is_counted) if word_column is None else _number(word_column)
    tag_column = -1 if tag_column is None else _number(tag_column)
    _check_width(*looked_at[0][0], source, word_column, tag_column, is_labelled)
    for block in itertools.chain(looked_at, blocks):
        words, tags, places = [], [], []
        for number, row in block:
            if is_counted and _CONLLU_RANGE.fullmatch(row[0]):
                continue
            word, tag = row[word_column], row[tag_column] if is_labelled else "O"
            if not word.strip(" ") or not tag.strip(" "):
                raise ValueError(
                    f"Expected a word and a tag; {source}, line {number} has {word!r} "
                    f"and {tag!r}. (A file of characters begins with a line of ##.)"
                )
            words.append(word)
            tags.append(tag)
            places.append(number)
        if words:
            yield of_words(words, tags if is_labelled else None), places


def _blocks(lines, source):
    """Lists of (line number, columns), parted by blank lines, without comments."""
    width = None
    numbered = enumerate(lines, 1)
    for is_blank, block in itertools.groupby(
        numbered, lambda line: not line[1].strip()
    ):
        if is_blank:
            continue
        block = [line for line in block if not line[1].startswith("-DOCSTART-")]
        if width is None:
            content = [line for _, line in block if not line.startswith("#")]
            if not content:
                continue
            width, has_tabs = len(_fields(content[0])), "\t" in content[0]
        rows = []
        for number, line in block:
            row = _fields(line)
            if len(row) == width and ("\t" in line) == has_tabs:
                rows.append((number, row))
            elif not line.startswith("#"):  # else a comment: the word # has a tag
                raise ValueError(
                    f"Expected {width} columns, as in the lines above; {source}, line "
                    f"{number} has {len(row)}: {line!r}."
                )
        if rows:
            yield rows


def _fields(line):
    """Parted by tabs if there is one, else by spaces: no other white space parts."""
    return line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))


def _is_counted(blocks, least_width):
    """Whether column 0 counts the words of every sentence from 1."""
    for block in blocks:
        first = [row[0] for _, row in block if not _CONLLU_RANGE.fullmatch(row[0])]
        if len(block[0][1]) < least_width or first != [
            str(i) for i in range(1, len(first) + 1)
        ]:
            return False
    return True


def _number(column):
    if isinstance(column, str) and not re.fullmatch("-?[0-9]+", column):
        raise ValueError(
            "Expected the number of a column, from 0 or, from the right, -1; got "
            f"{column!r}. Names are for .json, .jsonl and TFDS."
        )
    return int(column)


def _check_width(number, row, source, word_column, tag_column, is_labelled):
    columns = (word_column, tag_column) if is_labelled else (word_column,)
    needed = max(column + 1 if column >= 0 else -column for column in columns)
    if len(row) < max(needed, 1 + is_labelled):
        raise ValueError(
            f"Expected words in column {word_column} and tags in column {tag_column}, "
            f"counted from 0; {source}, line {number} has {len(row)} "
            f"column{'s' if len(row) > 1 else ''}: {' '.join(row)!r}. Part columns by "
            "tabs or spaces, or name them with --text-column and --label-column."
        )


def _characters(lines, source, is_labelled):
    """KLUE's sentences, white space and its tags included, and the lines."""
    numbered = enumerate(lines, 1)
    # "\t" alone: a separator that KLUE's own reader takes as well
    for is_blank, block in itertools.groupby(
        numbered, lambda line: line[1] in ("", "\t")
    ):
        name, characters, tags, places = None, [], [], []
        for number, line in () if is_blank else block:
            if line.startswith("##"):
                name = line[2:].partition("\t")[0].strip()
                continue
            character, _, tag = line.partition("\t")
            if len(character) != 1 or (is_labelled and not tag.strip()):
                raise ValueError(
                    "Expected a character, a tab and its tag, as in files that begin "
                    f"with ##; {source}, line {number} has {line!r}."
                )
            characters.append(character)
            tags.append(tag)
            places.append(number)
        if characters:
            units = tuple((i, i + 1) for i in range(len(characters)))
            tags = tuple(tags) if is_labelled else None
            text = "".join(characters)
            yield TaggedText(text, units, tags, name, "character"), places


def _without_space(example):
    """White space is no unit; a B- on it goes to the next character of its entity.

    >>> units = ((0, 1), (1, 2), (2, 3))
    >>> _without_space(TaggedText("a b", units, ("O", "B-X", "I-X")))
    TaggedText(text='a b', units=((0, 1), (2, 3)), tags=('O', 'B-X'), ...)
    """
    units = character_units(example.text)
    if example.tags is None:
        return dataclasses.replace(example, units=units)
    tags = list(example.tags)
    for place, tag in enumerate(example.tags[1:]):
        is_begin = is_whitespace(example.text[place]) and tags[place][:2] == "B-"
        if is_begin and tag == f"I-{tags[place][2:]}":
            tags[place + 1] = tags[place]
    tags = tuple(tags[place] for place, _ in units)
    return dataclasses.replace(example, units=units, tags=tags)
