"""Text files, read as UTF-8 and as nothing else."""

from collections.abc import Iterable, Iterator
from pathlib import Path


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
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected UTF-8; {file}, line {number} holds the byte "
            f"0x{line[error.start]:02x} at position {error.start}. Convert the file to "
            f"UTF-8 first{_guess(line, file)}."
        ) from None


def _guess(line, file):
    try:
        line.decode("cp949")
    except UnicodeDecodeError:
        return ""
    return f"; it reads as CP949: iconv -f CP949 -t UTF-8 {file} > utf8.txt"
