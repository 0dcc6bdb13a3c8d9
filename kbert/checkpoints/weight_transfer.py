"""Moves tensors by table, strictly: each used once, each weight filled once."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import keras
import numpy as np

from kbert.checkpoints.codes import are_codes
from kbert.checkpoints.weight_maps import Row


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What a load did; `str(report)` says it in a few lines.

    Attributes:
        filled: path of ours -> the foreign names it was made of.
        newly_initialised: paths of ours that the file had nothing for.
        ignored: foreign name -> why it was not used.
        shapes: path of ours -> its shape, filled or not.
        format: of the checkpoint, as "Hugging Face".
        path: of the checkpoint.
        head: the model that was made, one of `kbert.registry.HEADS`.
    """

    filled: dict[str, tuple[str, ...]]
    newly_initialised: tuple[str, ...]
    ignored: dict[str, str]
    shapes: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    format: str = ""
    path: Path | None = None
    head: str = ""

    @property
    def used(self) -> tuple[str, ...]:
        """The foreign tensors that were used, sorted."""
        return tuple(sorted(name for names in self.filled.values() for name in names))

    def __str__(self):
        lines = []
        if self.format:
            lines.append(f"{self.head}, from {self.path} ({self.format})")
        count = sum(math.prod(self.shapes.get(path, (0,))) for path in self.filled)
        numbers = f": {count:,} parameters" if count else ""
        lines.append(
            f"{len(self.filled)} weights filled from {len(self.used)} tensors{numbers}"
        )
        for path in self.newly_initialised:
            shape = f" {self.shapes[path]}" if path in self.shapes else ""
            lines.append(f"newly initialised: {path}{shape}")
        by_reason = {}
        for name, why in sorted(self.ignored.items()):
            by_reason.setdefault(why, []).append(name)
        for why, names in by_reason.items():
            more = f" and {len(names) - 3:,} more" * (len(names) > 3)
            lines.append(f"ignored: {', '.join(names[:3])}{more} ({why})")
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
    ignored: Callable[[str], str | None],
    optional: Iterable[str] = (),
) -> LoadReport:
    """Fills variables from foreign tensors, one at a time.

    Args:
        variables: path -> variable (`weights_by_path`).
        names: the foreign tensors there are.
        read: gives one of them; any floating-point dtype.
        rows: the table.
        ignored: why a foreign tensor may be left unused, or None if it may not.
        optional: prefixes of our paths that may stay as they are when the file has
            nothing for them (a head, on a file of the backbone alone).

    Raises:
        ValueError: a weight without its tensors, a shape that differs, numbers that are
            not finite, or tensors left over that nothing explains; each is named.
            Nothing was filled, but where shapes or numbers are wrong.
    """
    names, by_path = set(names), {row.ours: row for row in rows}
    plan, new, missing = {}, [], []
    for path in variables:
        theirs = by_path[path].theirs if path in by_path else ()
        absent = [name for name in theirs if name not in names]
        if theirs and not absent:
            plan[path] = by_path[path]
        elif path.startswith(tuple(optional)) and len(absent) == len(theirs):
            new.append(path)
        elif not theirs:
            raise ValueError(f"No row of the table fills {path}.")
        else:
            missing += absent
    if missing:
        raise ValueError(
            f"Expected every weight of the model in the file; {len(missing)} are "
            f"missing: {', '.join(sorted(missing)[:5])}. The file is incomplete, or of "
            "another architecture."
        )
    left = names - {name for row in plan.values() for name in row.theirs}
    reasons = {name: ignored(name) for name in sorted(left)}
    unknown = [name for name, why in reasons.items() if why is None]
    if unknown:
        raise ValueError(
            f"Expected only the tensors of this model; {len(unknown)} have no place in "
            f"it: {', '.join(unknown[:5])}."
        )
    for path, row in plan.items():
        variables[path].assign(_assembled(row, read, variables[path]))
    return LoadReport(
        filled={path: row.theirs for path, row in plan.items()},
        newly_initialised=tuple(new),
        ignored=reasons,
        shapes={path: tuple(variable.shape) for path, variable in variables.items()},
    )


def _assembled(row, read, variable):
    parts = [_in_float32(name, read(name)) for name in row.theirs]
    parts = [part.T if row.transposed else part for part in parts]
    value = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if value.shape != tuple(variable.shape):
        raise ValueError(
            f"Expected shape {tuple(variable.shape)} for {row.ours}; the file's "
            f"{' + '.join(row.theirs)} gives {value.shape}. Weights and settings "
            "do not belong together."
        )
    return value


def _in_float32(name, value):
    if value.dtype.kind in "iub":
        raise ValueError(
            f"Expected floating-point numbers in {name}; they are {value.dtype}. "
            "Quantized checkpoints are not read: use the original one."
        )
    value = value.astype("float32", copy=False)
    if are_codes(value):
        raise ValueError(
            f"Expected weights in {name}; all {value.size:,} numbers are whole, from "
            f"{value.min():g} to {value.max():g}: codes of a quantized model, saved "
            "without their scales. Take the model before it was quantized."
        )
    if not np.isfinite(value).all():
        raise ValueError(
            f"Expected finite numbers in {name}; some are infinite or NaN. The file "
            "is damaged (copy or download it again) or its training diverged."
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
