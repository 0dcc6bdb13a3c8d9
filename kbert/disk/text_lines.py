"""Text files, line by line; bytes that do not decode are refused by file and line."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_HALVES = re.compile("[\ud800-\udfff]")


def text_files(paths: str | Path | Iterable) -> list[Path]:
    """The files behind `paths`; a directory stands for its `*.txt`, sorted.

    Raises:
        FileNotFoundError: a path that does not exist, or a directory without `*.txt`.
        ValueError: no path at all.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    if not paths:
        raise ValueError("Expected at least one text file; got none.")
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(path.glob("*.txt"))
            if not found:
                raise FileNotFoundError(
                    f"Expected text files (*.txt) in the directory {path}; found none."
                )
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise FileNotFoundError(
                f"Expected a text file or a directory of *.txt; {path} does not exist."
            )
    return files


def whole_characters(text: str) -> str:
    """Halves of surrogate pairs become U+FFFD: no UTF-8 has them, but JSON may.

    >>> whole_characters("a\\ud83d b")  # every place in the text stays
    'a\ufffd b'
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _HALVES.sub("\ufffd", text)
    return text


def utf8_lines(file: str | Path) -> Iterator[str]:
    """The lines of a file, stripped of white space; a byte order mark is dropped.

    Raises:
        ValueError: bytes that are not UTF-8; names file, line and byte.
    """
    with open(file, "rb") as stream:
        for number, line in enumerate(stream, 1):
            yield decode_utf8(line, file, number).strip()


def decode_utf8(line: bytes, file: str | Path, number: int) -> str:
    """One line of a file, the `number`-th from 1; see `utf8_lines`."""
    try:
        return decode_line(line, "utf-8", number)
    except UnicodeDecodeError as error:
        advice = "Convert the file to UTF-8 first"
        if reads_as(line, "cp949"):
            advice += f"; it reads as CP949: iconv -f CP949 -t UTF-8 {file} > utf8.txt"
        raise undecodable(error, file, number, advice) from None


def decode_line(line: bytes, encoding: str, number: int) -> str:
    """The text of the `number`-th line from 1; line 1 loses a UTF-8 byte order mark.

    Raises:
        UnicodeDecodeError: `undecodable` puts it in words.
    """
    text = line.decode(encoding)
    return text.removeprefix("\ufeff") if number == 1 else text


def reads_as(line: bytes, encoding: str) -> bool:
    """Whether the bytes have a meaning in this encoding."""
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def undecodable(
    error: UnicodeDecodeError, file: str | Path, number: int, advice: str
) -> ValueError:
    """The error to raise for a line that does not decode, with what to do about it."""
    return ValueError(
        f"Expected {error.encoding.upper()}; {file}, line {number} holds the byte "
        f"0x{error.object[error.start]:02x} at position {error.start}. {advice}."
    )
