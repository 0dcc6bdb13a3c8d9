"""Where examples come from: records of tables and of TensorFlow Datasets.

A record is a dict from column to value. Files are read one record at a time, so that
one larger than memory works; only `.json`, one array, is read whole.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from kbert.disk.text_lines import decode_line, reads_as, undecodable, whole_characters
from kbert.tasks.data.tfds import is_tfds, read_tfds

FORMATS = ".tsv and .txt (tab-separated), .csv, .jsonl, .json, or tfds:NAME:SPLIT"


def read_records(
    source: str | Path, encoding: str = "utf-8", header: tuple[str, ...] = ()
) -> Iterator[dict]:
    """The records of a file, or of `tfds:NAME:SPLIT`.

        a.tsv   text <tab> label / 좋다 <tab> 1 -> {"text": "좋다", "label": "1"}
        a.jsonl {"text": "좋다", "label": 1}   -> {"text": "좋다", "label": 1}

    TSV is split at tabs and nowhere else: quotes are text. CSV follows RFC 4180, line
    breaks in quotes included. JSON keeps the types of its values; a `.json` file is an
    array of objects, or an object with such an array under "data". Blank lines are
    left out; a byte order mark is dropped.

    Args:
        source: a path, or `tfds:glue/sst2:train`; see `kbert.tasks.data.tfds`.
        encoding: of the file, as Python spells it: "utf-8", "cp949".
        header: names of the columns, for a TSV or CSV file whose first line is a
            record already.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: an unknown suffix or encoding, an empty file, bytes that do not
            decode, a column named twice, or a row that does not fit the header; the
            line is named.
    """
    if is_tfds(source):
        yield from read_tfds(str(source))
        return
    path = Path(source)
    readers = {
        ".tsv": _read_tsv,
        ".txt": _read_tsv,
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
        ".json": _read_json,
    }
    if path.suffix not in readers:
        raise ValueError(f"Expected {FORMATS}; got {path}.")
    lines = _lines(path, encoding)
    if path.suffix in (".jsonl", ".json"):
        records = readers[path.suffix](lines, path)
    else:
        records = readers[path.suffix](lines, path, header)
    first = next(records, None)
    if first is None:
        raise ValueError(f"Expected a header and rows of text; {path} has none.")
    yield first
    yield from records


def text_lines(path: str | Path, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file without their ends; a byte order mark is dropped.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: an unknown encoding, or bytes that do not decode: names file, line
            and byte and, where the line reads as CP949, the flag.
    """
    for line in _lines(path, encoding):
        yield line.rstrip("\r\n")


def parsed_json(text: str):
    """`json.loads`, with halves of surrogate pairs as U+FFFD.

        >>> parsed_json(r'{"a": "\\ud83d"}')
        {'a': '\ufffd'}

    Texts from the web have such halves, where one was cut; no tokenizer takes them.
    """
    value = json.loads(text)
    if "\\ud" in text.lower():  # as they can only be spelled
        value = json.loads(whole_characters(json.dumps(value, ensure_ascii=False)))
    return value


def fields(
    record: dict, names: tuple[str, ...], source: str | Path, number: int
) -> tuple:
    """The values of some columns of the `number`-th record, counted from 1.

        >>> record = {"id": 7, "labels": {"score": 4.8}}
        >>> fields(record, ("labels.score", "id"), "a.jsonl", 1)
        (4.8, 7)

    A name with dots that is no column leads into nested objects.

    Raises:
        ValueError: a column that is not there; those that are there are listed.
    """
    values = {name: _value(record, name) for name in names}
    missing = [name for name, value in values.items() if value is _MISSING]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(names)} in {source}; row {number} has "
            f"{', '.join(_columns(record))}, no {', '.join(missing)}. Name the columns "
            "with --text-column and --label-column."
        )
    return tuple(values[name] for name in names)


_MISSING = object()


def _value(record, name):
    if name in record:
        return record[name]
    for part in name.split("."):
        if not isinstance(record, dict) or part not in record:
            return _MISSING
        record = record[part]
    return record


def _columns(record):
    """All the names that `fields` takes.

    >>> _columns({"a": 1, "b": {"c": 2}})
    ['a', 'b.c']
    """
    names = []
    for name, value in record.items():
        if isinstance(value, dict) and value:
            names += [f"{name}.{inner}" for inner in _columns(value)]
        else:
            names.append(name)
    return names


def _lines(path, encoding):
    """Decoded lines with their ends."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a file of examples; {path} does not exist.")
    try:
        line_end = "\n".encode(encoding)
    except LookupError:
        raise ValueError(
            "Expected an encoding that Python knows, such as utf-8 or cp949; got "
            f"{encoding!r}."
        ) from None
    if line_end not in (b"\n", b"\xef\xbb\xbf\n"):  # the second: utf-8-sig
        raise ValueError(
            "Expected an encoding that ends lines with the one byte 0x0a, such as utf-8"
            f" or cp949; got {encoding!r}. Convert the file: iconv -f {encoding} "
            f"-t utf-8 {path} > utf8{Path(path).suffix}."
        )
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield decode_line(line, encoding, number)
            except UnicodeDecodeError as error:
                raise undecodable(error, path, number, _advice(line, error)) from None


def _advice(line, error):
    for encoding in {"utf-8", "cp949"} - {error.encoding}:
        if reads_as(line, encoding):
            return (
                f"The line reads as {encoding.upper()}: pass --encoding {encoding} "
                f"(encoding={encoding!r})"
            )
    return (
        "Convert the file to UTF-8 (iconv -f … -t UTF-8), or name its encoding with "
        "--encoding"
    )


def _read_tsv(lines, path, header):
    _check_header(header, path, 0)
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not line:
            continue
        values = line.split("\t")
        if header:
            yield _record(header, values, path, number)
        else:
            header = values
            _check_header(header, path, number)


def _read_csv(lines, path, header):
    _check_header(header, path, 0)
    # strict: otherwise a quote that is never closed swallows the rest of the file
    reader = csv.reader(lines, strict=True)
    number = 1
    try:
        for values in reader:
            if not values:
                pass
            elif header:
                yield _record(header, values, path, number)
            else:
                header = values
                _check_header(header, path, number)
            number = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            "Expected CSV as in RFC 4180 (fields with commas, quotes or line breaks in "
            f'double quotes, a quote in them as ""); {path}, line {number}: {error}.'
        ) from None


def _check_header(header, path, number):
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if twice:
        raise ValueError(
            f"Expected a name of its own for each column; {path}, line {number} has "
            f"{', '.join(twice)} more than once."
        )


def _record(header, values, path, number):
    if len(values) != len(header):
        raise ValueError(
            f"Expected {len(header)} columns ({', '.join(header)}); {path}, line "
            f"{number} has {len(values)}."
        )
    return dict(zip(header, values, strict=True))


def _read_jsonl(lines, path):
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = parsed_json(line)
        except ValueError as error:
            raise ValueError(
                f"Expected one JSON object a line; {path}, line {number}: {error}."
            ) from None
        if not isinstance(record, dict):
            raise ValueError(
                f"Expected one JSON object a line; {path}, line {number} holds a "
                f"{type(record).__name__}."
            )
        yield record


def _read_json(lines, path):
    text = "".join(lines)
    if not text.strip():
        return
    try:
        records = parsed_json(text)
    except ValueError as error:
        raise ValueError(
            f"Expected a JSON array of objects; {path}: {error}. One object a line is "
            "called .jsonl."
        ) from None
    if isinstance(records, dict):
        records = records.get("data")
    if not isinstance(records, list):
        raise ValueError(
            "Expected a JSON array of objects, or an object with such an array under "
            f'"data"; {path} has neither.'
        )
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise ValueError(
                f"Expected a JSON array of objects; element {number} of {path} is a "
                f"{type(record).__name__}."
            )
        if "paragraphs" in record:
            raise ValueError(
                f"Expected flat objects; element {number} of {path} has paragraphs: "
                "question answering reads this file."
            )
        yield record
