"""Tables of text with a header, read one row at a time."""

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from kbert.text.files import decode_utf8

FORMATS = ".tsv and .txt (tab-separated), .csv, .jsonl"


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """The rows of a TSV, CSV or JSONL file as dicts from column to value.

    TSV is split at tabs and nowhere else: quotes are text. CSV follows RFC 4180. Blank
    lines are left out; a byte order mark is dropped.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: an unknown suffix, an empty file, bytes that are not UTF-8, or a row
            that does not fit the header; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of examples; {path} does not exist.")
    readers = {
        ".tsv": _read_tsv,
        ".txt": _read_tsv,
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
    }
    if path.suffix not in readers:
        raise ValueError(f"Expected {FORMATS}; got {path}.")
    with open(path, "rb") as stream:
        lines = (decode_utf8(line, path, n) for n, line in enumerate(stream, 1))
        rows = readers[path.suffix](lines, path)
        first = next(rows, None)
        if first is None:
            raise ValueError(f"Expected a header and rows of text; {path} has none.")
        yield first
        yield from rows


def _read_tsv(lines, path):
    header = None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not line:
            continue
        fields = line.split("\t")
        if header is None:
            header = fields
        else:
            yield _row(header, fields, path, number)


def _read_csv(lines, path):
    reader = csv.reader(lines)
    header = next(reader, None)
    for fields in reader:
        if fields:
            yield _row(header, fields, path, reader.line_num)


def _read_jsonl(lines, path):
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(
                f"Expected one JSON object a line; {path}, line {number}: {error}."
            ) from None
        if not isinstance(row, dict):
            raise ValueError(
                f"Expected one JSON object a line; {path}, line {number} holds a "
                f"{type(row).__name__}."
            )
        yield {k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()}


def _row(header, fields, path, number):
    if len(fields) != len(header):
        raise ValueError(
            f"Expected {len(header)} columns ({', '.join(header)}); {path}, line "
            f"{number} has {len(fields)}."
        )
    return dict(zip(header, fields, strict=True))


def read_columns(path: str | Path, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The named columns of each row.

        a header "id text label", names ("label", "text") -> ("1", "좋다"), …

    Raises:
        ValueError: a column that is not there; those that are there are listed.
    """
    for number, row in enumerate(read_rows(path), 1):
        missing = [name for name in names if name not in row]
        if missing:
            raise ValueError(
                f"Expected the columns {', '.join(names)} in {path}; row {number} has "
                f"{', '.join(row)}, no {', '.join(missing)}. Name the columns with "
                "--text-column and --label-column."
            )
        yield tuple(row[name] for name in names)


def chunked(rows: Iterator, size: int) -> Iterator[list]:
    """Lists of `size` items, the last one shorter: abcde, 2 -> [ab] [cd] [e]."""
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, size)):
        yield chunk
