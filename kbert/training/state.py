"""The state of a training on disk: what it takes to go on after a kill as if nothing
had happened.

DIRECTORY/  state-00000500/  model.safetensors, optimizer.safetensors, …, progress.json
                             and sha256.json, by which damage is noticed
            state-00001000/  the newest; the one before it is there if it is damaged
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from kbert.disk.provenance import sha256
from kbert.disk.whole_directories import write_directory

_KEPT = 2  # states: the newest, and the one before in case the newest is damaged
_HASHES = "sha256.json"


def save_state(directory: Path, progress: dict, arrays: dict) -> None:
    """Writes a state beside the last one, and takes away those before.

    Args:
        directory: a training's own; states are `state-STEP` in it.
        progress: anything that JSON holds, with an integer "step".
        arrays: lists of NumPy arrays by name, as {"model": [...], "best": [...]}.

    A state is written aside and renamed: a process that dies in between leaves those
    that were there.
    """
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    new = directory / f"state-{progress['step']:08d}"
    with write_directory(new, overwrite=True) as aside:
        for name, values in arrays.items():
            # Without a name of their own: two variables may have the same path.
            numbered = {
                f"{i:05d}": np.array(v, order="C") for i, v in enumerate(values)
            }
            save_file(numbered, str(aside / f"{name}.safetensors"))
        text = json.dumps(progress, ensure_ascii=False)
        (aside / "progress.json").write_text(text, "utf-8")
        hashes = {file.name: sha256(file) for file in sorted(aside.iterdir())}
        (aside / _HASHES).write_text(json.dumps(hashes), "utf-8")
    for old in states(directory)[:-_KEPT]:
        shutil.rmtree(old)


def load_state(directory: Path) -> tuple[dict, dict] | None:
    """The newest whole state as (progress, arrays), see `save_state`; None without one.

    A damaged state is told of on standard error and removed, and the one before it
    taken.

    Raises:
        ValueError: there are states, and all are damaged.
    """
    from safetensors.numpy import load_file

    found = states(directory)
    damaged = {}
    for state in reversed(found):
        damage = _damage(state)
        if damage is not None:
            damaged[state] = damage
            continue
        for other, words in damaged.items():
            print(
                f"{other} is damaged ({words}): going on from {state.name}, the state "
                "before it.",
                file=sys.stderr,
            )
            shutil.rmtree(other)
        progress = json.loads((state / "progress.json").read_text("utf-8"))
        arrays = {}
        for file in sorted(state.glob("*.safetensors")):
            numbered = load_file(str(file))
            arrays[file.stem] = [numbered[key] for key in sorted(numbered)]
        return progress, arrays
    if damaged:
        words = "; ".join(f"{state.name}: {why}" for state, why in damaged.items())
        raise ValueError(
            f"Expected a whole state to go on from in {directory}; all are damaged "
            f"({words}). Start again with --overwrite."
        )
    return None


def states(directory: Path) -> list[Path]:
    """The states in a training's directory, the newest last."""
    found = [path for path in directory.glob("state-*") if path.name[6:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[6:]))


def _damage(state):
    """What is wrong with a state, in words; None if it is whole."""
    try:
        hashes = json.loads((state / _HASHES).read_text("utf-8"))
    except (OSError, ValueError):
        return f"{_HASHES} is missing or cut"
    names = {file.name for file in state.iterdir()} - {_HASHES}
    if missing := sorted(hashes.keys() - names):
        return f"{', '.join(missing)} is missing"
    changed = [name for name in sorted(hashes) if sha256(state / name) != hashes[name]]
    return f"{', '.join(changed)} has changed" if changed else None
