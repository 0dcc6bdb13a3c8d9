"""The tensors of any checkpoint under Hugging Face's names, read one at a time."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.encoder_names import encoder_names
from kbert.checkpoints.weight_maps import HUGGINGFACE_HEADS, huggingface_backbone


class NamedTensors(Mapping):
    """Name -> array, read each time it is asked for.

    Args:
        sources: name -> the name in the file, and whether to transpose what is there.
        read: one tensor by its name in the file.
    """

    def __init__(
        self,
        sources: Mapping[str, tuple[str, bool]],
        read: Callable[[str], np.ndarray],
    ):
        self._sources = dict(sources)
        self._read = read

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, name) -> bool:
        return name in self._sources  # Mapping's own would read the tensor

    def __getitem__(self, name: str) -> np.ndarray:
        source, transposed = self._sources[name]
        array = np.asarray(self._read(source))
        return array.T if transposed else array


def of_huggingface(tensors: Mapping[str, np.ndarray]) -> NamedTensors:
    """Those of a Hugging Face file, under today's names of transformers' models.

    Raises:
        ValueError: several encoders, or another architecture's.
    """
    known = encoder_names(tensors).known
    names = {known.get(name, name): (name, False) for name in tensors}
    return NamedTensors(names, tensors.__getitem__)


def of_checkpoint(checkpoint: Checkpoint) -> NamedTensors:
    """Those of another format; what has no name at Hugging Face is left out."""
    there = set(checkpoint.names)
    head = checkpoint.head if checkpoint.head in checkpoint.rows else "backbone"
    rows = {row.ours: row for row in checkpoint.rows[head]}
    names = {}
    theirs = huggingface_backbone(checkpoint.config.num_layers)
    for named in theirs + HUGGINGFACE_HEADS[head]:
        row = rows.get(named.ours)
        if row and len(row.theirs) == len(named.theirs) and there >= set(row.theirs):
            transposed = row.transposed != named.transposed
            for name, source in zip(named.theirs, row.theirs):
                names[name] = (source, transposed)
    return NamedTensors(names, checkpoint.read)
