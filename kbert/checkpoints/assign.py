"""Moves tensors by table, strictly: each used once, each weight filled once."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np

from kbert.checkpoints.weight_maps import Row


@dataclasses.dataclass(frozen=True)
class Report:
    """What a load did.

    Attributes:
        filled: path of ours -> the foreign names it was made of.
        newly_initialised: paths of ours that the file had nothing for.
        ignored: foreign name -> why it was not used.
    """

    filled: dict
    newly_initialised: tuple
    ignored: dict

    def __str__(self):
        lines = [f"{len(self.filled)} weights filled"]
        for path in self.newly_initialised:
            lines.append(f"newly initialised: {path}")
        for name, why in self.ignored.items():
            lines.append(f"ignored: {name} ({why})")
        return "\n".join(lines)


def weights_by_path(layers: Iterable[keras.Layer]) -> dict:
    """The weights of some layers, by their path from the layer's name on.

    What a layer shares with another (the head's token embedding) is found there.
    """
    found = {}
    for layer in layers:
        for variable in layer.weights:
            start = f"/{variable.path}".find(f"/{layer.name}/")
            if start >= 0:
                found[variable.path[start:]] = variable
    return found


def assign(
    variables: Mapping,
    names: Iterable[str],
    read: Callable[[str], np.ndarray],
    rows: Iterable[Row],
    redundant: Mapping[str, str],
    optional: Iterable[str] = (),
) -> Report:
    """Fills variables from foreign tensors.

    Args:
        variables: path -> variable (`weights_by_path`).
        names: the foreign tensors there are.
        read: gives one of them.
        rows: the table.
        redundant: foreign names that may be left unused, with the reason.
        optional: prefixes of our paths that may stay as they are when the file has
            nothing for them (a head, on a file of the backbone alone).

    Raises:
        ValueError: a weight without its tensors, a shape that differs, or tensors left
            over that the table does not know; each is named.
    """
    names, rows = set(names), list(rows)
    by_path = {row.ours: row for row in rows}
    unmapped = sorted(set(variables) - set(by_path))
    if unmapped:
        raise ValueError(f"No row of the table fills {', '.join(unmapped)}.")
    filled, new, missing, used = {}, [], [], set()
    for path, variable in variables.items():
        row = by_path[path]
        absent = [name for name in row.theirs if name not in names]
        if not absent:
            variable.assign(_assembled(row, read, variable))
            filled[path] = row.theirs
            used.update(row.theirs)
        elif path.startswith(tuple(optional)) and len(absent) == len(row.theirs):
            new.append(path)
        else:
            missing += absent
    if missing:
        raise ValueError(
            f"Expected every weight of the model in the file; {len(missing)} are "
            f"missing: {', '.join(sorted(missing)[:5])}. The file is incomplete, or of "
            "another architecture."
        )
    left = names - used
    unknown = sorted(left - set(redundant))
    if unknown:
        raise ValueError(
            f"Expected only the tensors of this model; {len(unknown)} have no place in "
            f"it: {', '.join(unknown[:5])}."
        )
    return Report(filled, tuple(new), {name: redundant[name] for name in left})


def _assembled(row, read, variable):
    parts = [read(name) for name in row.theirs]
    parts = [part.T if row.transposed else part for part in parts]
    value = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if value.shape != tuple(variable.shape):
        raise ValueError(
            f"Expected shape {tuple(variable.shape)} for {row.ours}; the file's "
            f"{' + '.join(row.theirs)} gives {value.shape}. Weights and config.json "
            "do not belong together."
        )
    return value


def extract(variables: Mapping, rows: Iterable[Row]) -> dict:
    """The reverse of `assign`: foreign names -> float32 arrays, contiguous."""
    tensors = {}
    for row in rows:
        value = keras.ops.convert_to_numpy(variables[row.ours])
        for name, part in zip(
            row.theirs, np.split(value, len(row.theirs), axis=-1), strict=True
        ):
            part = part.T if row.transposed else part
            tensors[name] = np.ascontiguousarray(part, "float32")
    return tensors
