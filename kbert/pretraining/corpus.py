"""Text files to documents, a document being a list of sentences."""

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kbert.disk.text_lines import utf8_lines

# A sentence ends at . ! ? … or their full-width forms, with the quotes and brackets
# that close there, where white space follows. Korean prose ends so, too.
_SENTENCE_END = re.compile(r"""(?<=[.!?…。！？])(?:["'”’」』)\]]*)\s+""")
_INSPECTED_LINES = 1000


def split_sentences(paragraph: str) -> list[str]:
    """Cuts a paragraph after each sentence end.

    >>> split_sentences("그렇다. 정말? 응")
    ['그렇다.', '정말?', '응']
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(paragraph)]
    cuts = [0, *ends, len(paragraph)]
    parts = (paragraph[a:b].strip() for a, b in itertools.pairwise(cuts))
    return [part for part in parts if part]


def documents(files: Iterable[Path]) -> Iterator[list[str]]:
    """Reads files one document at a time.

    Two layouts, told apart by each file's first 1,000 lines:
    - one sentence per line, an empty line between documents;
    - paragraphs (the lines hold 2 sentences or more on average): each line is split
      into sentences; documents end at empty lines, or, if the file has none, at the
      end of each line.

    Yields: non-empty lists of non-empty sentences. A document never spans two files.

    Raises:
        ValueError: bytes that are not UTF-8 (names file and line), or an empty file.
    """
    for file in files:
        if not any(line for line in utf8_lines(file)):
            raise ValueError(f"Expected text; the file {file} is empty.")
        yield from _documents_of(file)


def _documents_of(file):
    split_lines, empty_lines = _layout(file)
    document = []
    for line in utf8_lines(file):
        if line:
            document += split_sentences(line) if split_lines else [line]
        if document and (not line or (split_lines and not empty_lines)):
            yield document
            document = []
    if document:
        yield document


def _layout(file):
    """(lines are paragraphs, empty lines part documents), from the first lines."""
    lines = sentences = empty = 0
    for number, line in enumerate(utf8_lines(file)):
        if number == _INSPECTED_LINES:
            break
        lines += bool(line)
        empty += not line
        sentences += len(split_sentences(line))
    return sentences >= 2 * lines, empty > 0
