"""The directory of a run until it is done: OUTPUT.unfinished, and what may go on in it.

OUTPUT.unfinished/run.json tells what was asked: a run that goes on must ask the same of
the same data with the same versions, or it would end elsewhere.
"""

import json
import shutil
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.disk.whole_files import write_file


def begin_or_resume(
    output: str | Path, facts: dict, is_resumed: bool, overwrites: bool
) -> Path:
    """Makes OUTPUT.unfinished with its run.json, or goes on in the one that is there.

    Args:
        output: where the result will stand.
        facts: what run.json is to tell; its dicts must be those of the earlier run.
        is_resumed: go on with an unfinished run.
        overwrites: start again where there is one.

    Raises:
        FileExistsError: there is an unfinished run, and neither was asked for.
        ValueError: the unfinished run had other facts; they are named.
    """
    directory = refuse_unfinished(output, is_resumed, overwrites)
    if directory.exists() and not is_resumed:
        shutil.rmtree(directory)
    refuse_other_facts(directory, facts)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "run.json", facts)
    return directory


def refuse_unfinished(output: str | Path, is_resumed: bool, overwrites: bool) -> Path:
    """Asked before long work: may OUTPUT.unfinished be begun, or gone on with?

    Returns: the directory of the run, whether it is there or not.

    Raises:
        FileExistsError: there is an unfinished run, and neither was asked for.
    """
    output = Path(output)
    directory = output.with_name(output.name + ".unfinished")
    if directory.exists() and not is_resumed and not overwrites:
        raise FileExistsError(
            f"Expected no unfinished run; there is {directory}. Pass --resume "
            "to go on with it, or --overwrite to start again."
        )
    return directory


def refuse_other_facts(directory: Path, facts: dict) -> None:
    """Asked before long work: does an unfinished run, if there is one, tell the same?

    Args:
        directory: OUTPUT.unfinished.
        facts: dicts of its run.json, or some of them; what is no dict is passed over.

    Raises:
        ValueError: it had other facts; they are named.
    """
    file = directory / "run.json"
    if not file.is_file():  # killed before the first word
        return
    earlier = json_object(file)
    for part, now in json.loads(json.dumps(facts, default=str)).items():
        if not isinstance(now, dict):
            continue
        before = earlier.get(part, {})
        other = sorted(k for k in before | now if before.get(k) != now.get(k))
        if other:
            raise ValueError(
                f"Expected the {part} of the unfinished run in {directory}; "
                + "; ".join(f"{k} was {before.get(k)}, is {now.get(k)}" for k in other)
                + ". Go on with the same, or start again with --overwrite."
            )


def write_json(path: Path, value) -> None:
    """A file for people to read, too; what JSON does not know becomes a string."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    with write_file(path) as aside:
        aside.write_text(text + "\n", "utf-8")
