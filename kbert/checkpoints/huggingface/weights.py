"""The weights of a Hugging Face directory, in whichever of six layouts they lie.

model.safetensors              one file
model.safetensors.index.json   which of several files holds which tensor
pytorch_model.bin              one file of PyTorch's, and
pytorch_model.bin.index.json   the same for several of them
tf_model.h5                    one file of TensorFlow's, and
tf_model.h5.index.json         the same for several of them

Where several lie side by side, the first of these is read.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from kbert.checkpoints.encoder_names import encoder_names
from kbert.checkpoints.huggingface.safetensors_file import SafetensorsFile

WEIGHTS = "model.safetensors"
_TORCH_WEIGHTS = "pytorch_model.bin"
_TENSORFLOW_WEIGHTS = "tf_model.h5"
# Of transformers too, but not read; named if nothing else is there.
_OTHER_WEIGHTS = ("flax_model.msgpack", "adapter_model.safetensors")


def _read_torch_file(path):
    from kbert.checkpoints.huggingface.torch_file import read_torch_file

    return read_torch_file(path)


def _read_tensorflow_file(path):
    from kbert.checkpoints.huggingface.tensorflow_file import TensorFlowFile

    return TensorFlowFile(path)


def _read_tensorflow_shards(path):
    """The names in its index are not those in the files: they have the model's too."""
    return _Shards(path, _read_tensorflow_file, has_names=False)


# File name -> what opens it, in the order in which they are looked for.
_LAYOUTS: dict[str, Callable[[Path], Mapping[str, np.ndarray]]] = {
    WEIGHTS: SafetensorsFile,
    f"{WEIGHTS}.index.json": lambda path: _Shards(path, SafetensorsFile),
    _TORCH_WEIGHTS: _read_torch_file,
    f"{_TORCH_WEIGHTS}.index.json": lambda path: _Shards(path, _read_torch_file),
    _TENSORFLOW_WEIGHTS: _read_tensorflow_file,
    f"{_TENSORFLOW_WEIGHTS}.index.json": _read_tensorflow_shards,
}


def has_weights(directory: Path) -> bool:
    """One of the layouts, whole or not, is there."""
    return any((directory / name).is_file() for name in _LAYOUTS)


def open_weights(directory: Path) -> Mapping[str, np.ndarray]:
    """Name -> tensor, read when it is asked for.

    Raises:
        FileNotFoundError: none of the layouts, or a file of several is missing.
        ValueError: a damaged file.
    """
    there = [name for name in _LAYOUTS if (directory / name).is_file()]
    if there:
        tensors = _LAYOUTS[there[0]](directory / there[0])
        for other in there[1:]:
            _warn_of_others(directory, there[0], tensors, other)
        return tensors
    message = f"Expected weights in {directory / WEIGHTS}; the file is not there, nor "
    message += f"is {', '.join(list(_LAYOUTS)[1:])}."
    others = [name for name in _OTHER_WEIGHTS if (directory / name).exists()]
    if others:
        message += (
            f" {others[0]} is, which is not read: save the model as {WEIGHTS} with the "
            "program that made it."
        )
    torch_files = sorted(p.name for p in directory.iterdir() if _may_be_torch(p))
    if torch_files:
        message += (
            f" {torch_files[0]} is: if it holds a state dict, name it {_TORCH_WEIGHTS}."
        )
    half = sorted(p.name for p in directory.glob("*.incomplete"))
    if half:
        message += f" {half[0]} is a download that was not finished: start it again."
    raise FileNotFoundError(message)


def _may_be_torch(path):
    """Written by torch.save under a name of the user's own, and no optimizer's."""
    beside = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
    is_torch = path.suffix in (".bin", ".pt", ".pth", ".ckpt")
    return is_torch and path.is_file() and not path.name.startswith(beside)


def _warn_of_others(directory, name, tensors, other):
    """Says it where another file beside the one that is read holds another model."""
    try:
        others = _LAYOUTS[other](directory / other)
        one, two = (
            {c: n for n, c in encoder_names(t).encoder.items()}
            for t in (tensors, others)
        )
        # The vectors, which are a thousandth of the numbers and all trained.
        differing = (
            n
            for n in sorted(one)
            if n in two
            and n.endswith(".bias")
            and _differ(tensors[one[n]], others[two[n]])
        )
        first = next(differing, None)
    except (ValueError, OSError, RecursionError):  # what is not read may be damaged
        return
    if first:
        warnings.warn(
            f"{directory}: {name} and {other} hold different models (in {first}, for "
            f"one); {name} is read.",
            stacklevel=2,
        )


def _differ(one, other):
    """Beyond what half precision rounds to."""
    if one.shape != other.shape:
        return True
    gap = np.abs(one.astype("float64") - other.astype("float64"))
    return bool((gap > 1e-6 + np.abs(other) / 128).any())


class _Shards(Mapping):
    """Tensors in several files, all of which are opened, and so checked, at once."""

    def __init__(self, index: Path, opened: Callable, has_names: bool = True):
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
        if not has_names:
            self._file_of = {n: shard for shard in shards for n in self._files[shard]}
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

    def __contains__(self, name) -> bool:
        return name in self._file_of  # Mapping's own would read the tensor

    def __getitem__(self, name: str) -> np.ndarray:
        return self._files[self._file_of[name]][name]
