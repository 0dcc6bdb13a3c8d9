"""The state of a training on disk: what it takes to go on after a kill as if nothing
had happened."""

import json
import shutil
from pathlib import Path

import numpy as np

from kbert.disk.whole_directories import write_directory


def save_state(directory: Path, progress: dict, arrays: dict) -> None:
    """Writes a state beside the last one, and takes the last one away.

    Args:
        directory: a training's own; states are `state-STEP` in it.
        progress: anything that JSON holds, with an integer "step".
        arrays: lists of NumPy arrays by name, as {"model": [...], "best": [...]}.

    A process that dies in between leaves one whole state or two.
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
    for old in _states(directory):
        if old != new:
            shutil.rmtree(old)


def load_state(directory: Path) -> tuple[dict, dict] | None:
    """The newest state as (progress, arrays), see `save_state`; None without one."""
    from safetensors.numpy import load_file

    states = _states(directory)
    if not states:
        return None
    progress = json.loads((states[-1] / "progress.json").read_text("utf-8"))
    arrays = {}
    for file in sorted(states[-1].glob("*.safetensors")):
        numbered = load_file(str(file))
        arrays[file.stem] = [numbered[key] for key in sorted(numbered)]
    return progress, arrays


def _states(directory):
    return sorted(directory.glob("state-*"))
