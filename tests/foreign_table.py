"""Tries every row of `foreign_rows.ROWS`: does it load, and compute the same?

python tests/foreign_table.py       prints one line for each: loads, ids, outputs
"""

import importlib.util
import tempfile
import warnings
from pathlib import Path

import foreign_directories  # noqa: F401  fills ROWS
import foreign_tokenizers  # noqa: F401  as this one
import numpy as np
from foreign_reference import INPUTS
from foreign_rows import ROWS, Expected, Row

TOLERANCE = 1e-4


def lacking(row: Row) -> str:
    """The first package that a row needs and that is not installed, or ""."""
    return next((n for n in row.needs if importlib.util.find_spec(n) is None), "")


def differences(path: Path, expected: Expected) -> dict[str, float]:
    """The largest difference of each output from what is expected of it."""
    from kbert.checkpoints.load_and_save import load_with_report

    head = None if expected.head else "backbone"
    model, report = load_with_report(path, head=head)
    assert report.head == (expected.head or "backbone")
    left_out = "\n".join(report.ignored)
    assert all(name in left_out for name in expected.left_out), report
    inputs = dict(INPUTS)
    if expected.head == "pretrainer":
        places = np.arange(inputs["token_ids"].shape[1], dtype="int32")
        inputs["mask_positions"] = np.tile(places, (len(inputs["token_ids"]), 1))
    found = model(inputs, training=False)
    found = found if isinstance(found, dict) else {"logits": found}
    return {
        name: float(np.abs(np.asarray(found[name]) - array).max())
        for name, array in expected.outputs.items()
    }


def vectors_difference(path: Path, expected: Expected) -> float:
    """That of the vectors of texts."""
    import kbert

    found = kbert.embed(kbert.load(path), kbert.load_tokenizer(path), expected.texts)
    return float(np.abs(found - expected.embeddings).max())


def ids(path: Path, expected: Expected) -> list[list[int]]:
    """What kbert's tokenizer of a directory makes of its texts."""
    from kbert.checkpoints.local_path import local_path
    from kbert.text.tokenizer_files import load_light_tokenizer

    tokenizer = load_light_tokenizer(local_path(path))
    return [list(map(int, ids)) for ids in tokenizer.ids(list(expected.texts))]


def main() -> None:
    """Prints one line for each row: loads, ids equal, outputs equal."""
    print(f"{'make':<74} loads  ids    outputs")
    for made in ROWS:
        with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(f"{made.name:<74} {_line(made, Path(directory) / 'model')}")


def _line(made, path):
    if lacking(made):
        return f"{lacking(made)} is not installed"
    expected = made.write(path)
    try:
        gaps = [*differences(path, expected).values()]
        if expected.embeddings is not None:
            gaps.append(vectors_difference(path, expected))
        largest = max(gaps)
        words = "yes" if largest <= TOLERANCE else "no"
        loads, equal = "yes", f"{words}, {largest:.1g}"
    except (ValueError, OSError) as error:
        loads, equal = "no", str(error)[:80]
    same = "-"
    if expected.ids is not None:
        try:
            same = "yes" if ids(path, expected) == expected.ids else "no"
        except (ValueError, OSError):
            same = "error"
    return f"{loads:<6} {same:<6} {equal}"


if __name__ == "__main__":
    main()
