"""A safetensors file, read tensor by tensor; a damaged one is refused when opened.

The safetensors library reads and checks; here its arrays get kbert's dtypes, and its
errors the file's name and what to do.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import ml_dtypes  # gives NumPy the bfloat16 that the library asks it for
import numpy as np
from safetensors import SafetensorError, safe_open

# Those that NumPy computes with. F4, F6 and F8 mean nothing without their scales.
_DTYPES = {
    *("F64", "F32", "F16", "BF16", "BOOL"),
    *("I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8"),
}
_LONGEST_REASON = 300  # characters; the library's may quote a name of any length


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
        with self.path.open("rb") as file:
            if file.read(8) == b"version ":
                raise ValueError(
                    self._message("it is a Git LFS pointer: fetch with git lfs pull")
                )
        try:
            # Plain reads hold one tensor in memory; of a mapped file all that was read
            # counts.
            self._file = safe_open(self.path, framework="np", backend="pread")
        except SafetensorError as error:
            size = self.path.stat().st_size
            reason = f"it has {size:,} bytes: {str(error)[:_LONGEST_REASON]}"
            raise ValueError(self._message(reason)) from None
        self._names = dict.fromkeys(self._file.offset_keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        dtype = self._file.get_slice(name).get_dtype()
        if dtype not in _DTYPES:
            raise ValueError(
                f"Expected numbers of 16 to 64 bits in {self.path}; {name} is {dtype}. "
                "Save it in float32 with the program that made it."
            )
        try:
            values = self._file.get_tensor(name)
        except SafetensorError:  # the file was cut after it was opened
            raise ValueError(self._message(f"it ends inside {name}")) from None
        if values.dtype == ml_dtypes.bfloat16:
            values = values.astype("float32")
        return values

    def _message(self, what):
        return (
            f"Expected a whole safetensors file in {self.path}; {what}. Copy or "
            "download it again."
        )
