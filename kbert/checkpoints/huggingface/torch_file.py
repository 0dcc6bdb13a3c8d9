"""`pytorch_model.bin` without PyTorch, and without running the pickle that is in it.

`torch.save` writes one of two layouts:

    zip (PyTorch 1.6 and later)        legacy
    archive/data.pkl   the pickle      pickles of a magic number, 1001, the machine
    archive/byteorder  little          the pickle
    archive/data/0     raw numbers     a pickle of the list of storages
    archive/data/1     …               per storage: its length (int64), raw numbers

The pickle says where each tensor stands (`torch_pickle.py`); the numbers are read from
there when they are asked for. As in PyTorch, no checksum is looked at: `torch.save` can
be told to write none.
"""

import io
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kbert.checkpoints.huggingface.torch_pickle import (
    DTYPES,
    MAX_BYTES,
    Storage,
    StoredTensor,
    read_pickle,
)

_MAGIC_NUMBER, _PROTOCOL_VERSION = 0x1950A86A20F9469CFC6C, 1001
_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, lengths of name and extra
_IS_ENCRYPTED, _NAME_IS_UTF8 = 0x1, 0x800
# Where a training loop puts the state dict among its other things; under another name,
# if it is the only dict of tensors there.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")


class TorchFile(Mapping):
    """The tensors of a file by name; each is read from disk when it is asked for.

    float32, float64, float16, bool and whole numbers come as numpy's, bfloat16 as the
    same numbers in float32. An array belongs to the caller. Only a tensor with repeated
    elements (`expand`) is a read-only view, for it may be larger than the file.
    """

    def __init__(
        self, path: Path, tensors: dict[str, StoredTensor], starts: dict[str, int]
    ):
        """
        Args:
            path: the file.
            tensors: by name.
            starts: bytes from the beginning of the file to each storage, by its key.
        """
        self._path, self._tensors, self._starts = path, tensors, starts

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        flat = np.empty(tensor.span, DTYPES[tensor.dtype])
        if flat.size:
            with open(self._path, "rb") as file:
                file.seek(self._starts[tensor.storage.key] + tensor.start)
                if file.readinto(flat) < flat.nbytes:
                    raise ValueError(
                        f"Expected {name} in {self._path}; the file has shrunk."
                    )
        if tensor.dtype == "bool":
            flat = flat != 0
        elif tensor.dtype == "bfloat16":  # the upper half of a float32
            bits = flat.astype(np.uint32)
            bits <<= 16
            flat = bits.view(np.float32)
        if not flat.size:
            return np.empty(tensor.size, flat.dtype)
        # The step of an axis of 1 means nothing and may be any number.
        strides = [
            step * flat.itemsize if n > 1 else 0
            for n, step in zip(tensor.size, tensor.stride)
        ]
        array = np.lib.stride_tricks.as_strided(flat, tensor.size, strides)
        if array.nbytes > flat.nbytes:
            array.flags.writeable = False
            return array
        return np.asarray(array, order="C")

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def read_torch_file(path: str | os.PathLike) -> Mapping[str, np.ndarray]:
    """The tensors of a state dict that `torch.save` wrote, by their names in the file.

        tensors = read_torch_file("pytorch_model.bin")
        tensors["bert.pooler.dense.bias"]  # float32 (768,), read now

    What stands beside the tensors, such as an epoch, is left out. A state dict may be
    one level down, under "state_dict", "model_state_dict", "model" or "module", or be
    the only dict of tensors there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a damaged file, one of another kind, or one that names anything but
            tensors and plain values. Nothing of it has been run.
    """
    path = Path(path)
    with open(path, "rb") as file:
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            _refuse_other_kinds(file.read(512), size)
            file.seek(0)
            is_zip = file.read(4) == _ZIP_MAGIC
            file.seek(0)
            pickle, starts = _read_zip(file) if is_zip else _read_legacy(file)
            tensors = _state_dict(pickle.value)
        except ValueError as error:
            raise ValueError(
                f"Expected weights that torch.save wrote in {path}; {error}."
            ) from None
    return TorchFile(path, tensors, starts)


def _refuse_other_kinds(head, size):
    again = "copy or download it again"
    if not head.strip(b"\0"):
        raise ValueError(f"the file is empty: {again}")
    if head.startswith(b"version https://git-lfs"):
        raise ValueError(
            "the file is only Git LFS's note of where the weights are: run "
            "`git lfs pull` in its directory, or download the file itself"
        )
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise ValueError(f"the file is a web page: {again}")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        raise ValueError(
            "the file is in the safetensors format: name it model.safetensors"
        )
    if head[257:262] == b"ustar":
        raise ValueError(
            "the file is a tar of PyTorch 0.1: load and save it with a later PyTorch"
        )


def _read_zip(file):
    """The pickle, and where each storage begins.

    Names are only looked up, never used as paths. Compressed entries are refused, for
    `torch.save` writes none: so no entry is larger than the file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
    except (
        *(zipfile.BadZipFile, NotImplementedError, struct.error),
        *(OSError, OverflowError),
    ) as error:
        raise ValueError(
            f"the zip is damaged ({error}): copy or download it again"
        ) from None
    entries = {entry.filename: entry for entry in listed}
    if len(entries) != len(listed):
        raise ValueError("the zip has two entries of one name")
    folders = [n[:-8] for n in entries if n.endswith("data.pkl") and n.count("/") == 1]
    if len(folders) != 1:
        raise ValueError("the zip has no archive/data.pkl, or more than one")
    folder = folders[0]
    if f"{folder}constants.pkl" in entries:
        raise ValueError("the file is a TorchScript program, not a state dict")
    order = _bytes_of(file, entries.get(f"{folder}byteorder"), b"little")
    if order != b"little":
        raise ValueError(
            "the file is big-endian: load and save it with PyTorch on a machine that "
            "is little-endian"
        )
    pickle = read_pickle(io.BytesIO(_bytes_of(file, entries[f"{folder}data.pkl"])))
    starts = {}
    for key, storage in pickle.storages.items():
        entry = entries.get(f"{folder}data/{key}")
        if entry is None:
            raise ValueError(f"the storage {key} is not in the zip")
        _check_bytes(storage, entry.file_size)
        starts[key] = _start_of(file, entry)
    return pickle, starts


def _bytes_of(file, entry, default=b""):
    if entry is None:
        return default
    start = _start_of(file, entry)
    if entry.file_size > MAX_BYTES:
        raise ValueError(f"{entry.filename} takes {entry.file_size} bytes")
    file.seek(start)
    return file.read(entry.file_size)


def _start_of(file, entry):
    """Bytes from the beginning of the file to an entry's; all of them are there."""
    if (
        entry.compress_type != zipfile.ZIP_STORED
        or entry.compress_size != entry.file_size
        or entry.flag_bits & _IS_ENCRYPTED
    ):
        raise ValueError(
            f"{entry.filename} is compressed or encrypted, as torch.save does not: "
            "unpack the zip and pack it again without compression (zip -0)"
        )
    size = file.seek(0, os.SEEK_END)
    if not 0 <= entry.header_offset <= size - _LOCAL_HEADER.size:
        raise ValueError(f"{entry.filename} is outside the file")
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    encoding = "utf-8" if entry.flag_bits & _NAME_IS_UTF8 else "cp437"
    name = file.read(name_length).decode(encoding)
    if magic != _ZIP_MAGIC or name != entry.orig_filename:
        raise ValueError(f"{entry.filename} is not where the zip's list says")
    start = entry.header_offset + len(header) + name_length + extra_length
    if start + entry.file_size > size:
        raise ValueError(f"{entry.filename} ends outside the file")
    return start


def _read_legacy(file):
    """The pickle, and where each storage begins."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    stream = io.BytesIO(file.read(MAX_BYTES))
    try:
        magic = read_pickle(stream).value
    except ValueError as error:
        raise ValueError(f"it begins like no file of torch.save: {error}") from None
    if magic != _MAGIC_NUMBER:
        raise ValueError("the file is a pickle, but not one of torch.save's")
    version, machine = read_pickle(stream).value, read_pickle(stream).value
    if version != _PROTOCOL_VERSION or not isinstance(machine, dict):
        raise ValueError(f"the legacy layout has the version {_PROTOCOL_VERSION}")
    if machine.get("little_endian") is not True:
        raise ValueError(
            "the file is big-endian: load and save it with PyTorch on a machine that "
            "is little-endian"
        )
    pickle, keys = read_pickle(stream), read_pickle(stream).value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("the list of storages is damaged")
    if len(set(keys)) != len(keys) or set(keys) != set(pickle.storages):
        raise ValueError("the list of storages is not that of the tensors")
    starts, position = {}, stream.tell()
    for key in keys:
        storage = pickle.storages[key]
        file.seek(position)
        length = file.read(8)
        count = int.from_bytes(length, "little", signed=True)
        starts[key] = position + 8
        position = starts[key] + storage.nbytes
        if len(length) < 8 or position > size:
            raise ValueError(
                f"the file ends within the storage {key}: copy or download it again"
            )
        _check_bytes(storage, count * np.dtype(DTYPES[storage.dtype]).itemsize)
    return pickle, starts


def _check_bytes(storage: Storage, found: int):
    if storage.nbytes != found:
        raise ValueError(
            f"the storage {storage.key} should have {storage.nbytes} bytes and has "
            f"{found}"
        )


def _state_dict(value: object) -> dict[str, StoredTensor]:
    """The named tensors of a dict, or of the one dict in it that holds them."""
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__}, not a state dict")
    inner = [value[name] for name in _WRAPPERS if isinstance(value.get(name), dict)]
    if not inner:
        of_tensors = [v for n, v in value.items() if _may_be_state_dict(n, v)]
        inner = of_tensors if len(of_tensors) == 1 else []
    for names in (value, *inner):
        tensors = {n: t for n, t in names.items() if isinstance(t, StoredTensor)}
        if not all(isinstance(name, str) for name in tensors):
            raise ValueError("it holds tensors whose names are no text")
        if tensors:
            return tensors
    raise ValueError(
        "it holds no tensors, neither at the top nor under "
        f"{', '.join(_WRAPPERS[:-1])} or {_WRAPPERS[-1]}"
    )


def _may_be_state_dict(name, value):
    if str(name).startswith(("optim", "sched", "scaler")):
        return False
    return isinstance(value, dict) and any(
        isinstance(held, StoredTensor) for held in value.values()
    )
