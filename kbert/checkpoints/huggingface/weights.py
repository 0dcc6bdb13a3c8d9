"""The weights of a Hugging Face directory, in whichever of four layouts they lie.

model.safetensors              one file
model.safetensors.index.json   which of several files holds which tensor
pytorch_model.bin              one file of PyTorch's, and
pytorch_model.bin.index.json   the same for several of them
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from kbert.checkpoints.huggingface.safetensors_file import SafetensorsFile

WEIGHTS = "model.safetensors"
_TORCH_WEIGHTS = "pytorch_model.bin"
# Of transformers too, but not read; named if nothing else is there.
_OTHER_WEIGHTS = ("tf_model.h5", "flax_model.msgpack", "adapter_model.safetensors")


def _read_torch_file(path):
    from kbert.checkpoints.huggingface.torch_file import read_torch_file

    return read_torch_file(path)


# File name -> what opens it, in the order in which they are looked for.
_LAYOUTS: dict[str, Callable[[Path], Mapping[str, np.ndarray]]] = {
    WEIGHTS: SafetensorsFile,
    f"{WEIGHTS}.index.json": lambda path: _Shards(path, SafetensorsFile),
    _TORCH_WEIGHTS: _read_torch_file,
    f"{_TORCH_WEIGHTS}.index.json": lambda path: _Shards(path, _read_torch_file),
}


def has_weights(directory: Path) -> bool:
    """One of the four layouts, whole or not, is there."""
    return any((directory / name).is_file() for name in _LAYOUTS)


def open_weights(directory: Path) -> Mapping[str, np.ndarray]:
    """Name -> tensor, read when it is asked for.

    Raises:
        FileNotFoundError: none of the four layouts, or a file of several is missing.
        ValueError: a damaged file.
    """
    for name, opened in _LAYOUTS.items():
        if (directory / name).is_file():
            return opened(directory / name)
    message = f"Expected weights in {directory / WEIGHTS}; the file is not there, nor "
    message += f"is {', '.join(list(_LAYOUTS)[1:])}."
    others = [name for name in _OTHER_WEIGHTS if (directory / name).exists()]
    if others:
        message += (
            f" {others[0]} is, which is not read: save the model as {WEIGHTS} with the "
            "program that made it."
        )
    half = sorted(p.name for p in directory.glob("*.incomplete"))
    if half:
        message += f" {half[0]} is a download that was not finished: start it again."
    raise FileNotFoundError(message)


class _Shards(Mapping):
    """Tensors in several files, all of which are opened, and so checked, at once."""

    def __init__(self, index: Path, opened: Callable):
        try:
            self._file_of = dict(json.loads(index.read_text("utf-8"))["weight_map"])
            shards = sorted(set(map(str, self._file_of.values())))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f'Expected "weight_map" in {index}, tensor to file; {error!r}. Copy or '
                "download it again."
            ) from None
        self._files = {}
        for shard in shards:
            path = index.parent / shard
            if Path(shard).name != shard:
                raise ValueError(
                    f"Expected files beside {index}; it names {shard!r}, elsewhere."
                )
            if not path.is_file():
                raise FileNotFoundError(
                    f"Expected {path}, which {index.name} names; it is not there. Copy "
                    "or download it."
                )
            self._files[shard] = opened(path)
        for name, shard in self._file_of.items():
            if name not in self._files[shard]:
                raise ValueError(
                    f"Expected {name} in {index.parent / shard}, as {index.name} says; "
                    "it is not. The files are of different models: copy or download "
                    "them again."
                )

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._files[self._file_of[name]][name]
