"""Reads a safetensors file tensor by tensor, and says what is wrong with a bad one.

    8 bytes   length of the header, little-endian
    header    JSON: {name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    data      the tensors, side by side, without gaps

The layout is that of the safetensors library, which writes kbert's files. Reading is
done here because NumPy, which that library reads into, has no bfloat16, and because
plain reads hold one tensor in memory where a mapped file comes to count as a whole.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
# Of the header, in bytes; as in the safetensors library.
_LONGEST_HEADER = 100_000_000


class SafetensorsFile(Mapping):
    """Name -> NumPy array, read from disk each time it is asked for.

    bfloat16 comes as float32, which holds it exactly; everything else in its own dtype.

    Attributes:
        path: the file.

    Raises:
        ValueError: on opening, if the file is not whole: cut short, or a header that
            does not fit the data; on reading, a dtype that NumPy cannot hold.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._entries, self._start = _header(self.path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, name: str) -> np.ndarray:
        dtype, shape, offset = self._entries[name]
        if dtype not in _DTYPES:
            raise ValueError(
                f"Expected numbers of 16 to 64 bits in {self.path}; {name} is {dtype}. "
                "Save it in float32 with the program that made it."
            )
        count = math.prod(shape)
        with self.path.open("rb") as file:
            file.seek(self._start + offset)
            values = np.fromfile(file, _DTYPES[dtype], count)
        if values.size != count:  # the file was cut after it was opened
            raise ValueError(_message(self.path, f"it ends inside {name}"))
        if dtype == "BF16":
            values = float32_of_bfloat16(values)
        return values.reshape(shape)


def float32_of_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, as uint16, to those numbers.

    [0x3f80, 0xc000] -> [1.0, -2.0]
    """
    return (bits.astype("<u4") << 16).view("<f4")


def _header(path):
    """({name: (dtype, shape, offset)}, where the data starts), checked."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(b"version "):
            raise ValueError(
                _message(path, "it is a Git LFS pointer: fetch with git lfs pull")
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise ValueError(
                _message(
                    path, f"{size:,} bytes, and a header of {length:,} is announced"
                )
            )
        text = file.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        entries = {name: _entry(entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(_message(path, f"its header is damaged: {error}")) from None
    _check_extents(path, entries, size - 8 - length)
    return {name: e[:3] for name, e in entries.items()}, 8 + length


def _entry(entry):
    """(dtype, shape, begin, end) of one tensor."""
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
        raise ValueError(f"sizes {list(shape)}, from {begin} to {end}")
    return str(entry["dtype"]), shape, begin, end


def _check_extents(path, entries, data_size):
    """The tensors lie side by side, each of its shape's size, up to the file's end."""
    expected_begin = 0
    for name, (dtype, shape, begin, end) in sorted(
        entries.items(), key=lambda item: item[1][2:]
    ):
        itemsize = np.dtype(_DTYPES[dtype]).itemsize if dtype in _DTYPES else None
        wrong_size = itemsize and end - begin != math.prod(shape) * itemsize
        if begin != expected_begin or end < begin or wrong_size:
            raise ValueError(
                _message(
                    path,
                    f"its header is damaged: {name}, {dtype} {list(shape)}, is said to "
                    f"lie from {begin} to {end}",
                )
            )
        expected_begin = end
    if data_size != expected_begin:
        raise ValueError(
            _message(
                path,
                f"{data_size:,} bytes of numbers, where {expected_begin:,} are due",
            )
        )


def _message(path, what):
    return (
        f"Expected a whole safetensors file in {path}; {what}. Copy or download it "
        "again."
    )
