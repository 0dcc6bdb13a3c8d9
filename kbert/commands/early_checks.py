"""Arguments checked before anything is written and before TensorFlow is imported.

A command calls these first: what cannot work is refused in a fraction of a second and
leaves nothing behind. None stands for "not given" and passes everywhere.

    UsageError         a value that can never be right: kbert exits with 2
    FileNotFoundError  something named is not there: kbert exits with 1, as for
    FileExistsError    an output that is in the way
"""

import difflib
import encodings.aliases
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

from kbert.checkpoints.hubs import check_handle, is_handle
from kbert.checkpoints.local_path import existing_path
from kbert.disk.resumable_output import refuse_unfinished
from kbert.disk.whole_directories import refuse_existing
from kbert.tasks.data.tfds import is_tfds


class UsageError(ValueError):
    """An argument, or a combination of arguments, that can never be right."""

    exit_code = 2


def check_model(model: str | Path | None) -> None:
    """A path that exists, a preset's name, or the spelling of a hub's handle.

    A handle is not resolved: nothing is downloaded here.

    Raises:
        FileNotFoundError: neither a path nor a preset.
        UsageError: a handle that no hub allows.
    """
    if model is None:
        return
    if is_handle(model):
        try:
            check_handle(model)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return
    existing_path(model)


def check_file(file: str | Path | None, what: str = "a file") -> None:
    """A file to read.

    Raises:
        FileNotFoundError: it is not there; names those spelled nearly so.
        IsADirectoryError: it is a directory.
    """
    if file is None:
        return
    if os.path.isdir(file):
        raise IsADirectoryError(f"Expected {what}; {file} is a directory.")
    if not os.path.exists(file):  # of a whole text, too long for a name, too
        path = Path(file)
        names = os.listdir(path.parent) if path.parent.is_dir() else []
        raise FileNotFoundError(
            f"Expected {what}; {file} does not exist.{_meant(path.name, names)}"
        )


def check_data(source: str | Path | None) -> None:
    """Examples: a file, or tfds:NAME, which is not looked up."""
    if source is None or is_tfds(source):
        return
    check_file(source, "a file of examples, or tfds:NAME")


def check_choice(name: str, value: str | None, choices: Iterable[str]) -> None:
    """One of some names.

    >>> check_choice("strategy", "gpu", ("none", "mirrored"))
    Traceback (most recent call last):
    kbert...UsageError: Expected strategy none or mirrored; got 'gpu'.
    """
    choices = list(choices)
    if value is None or value in choices:
        return
    some = ", ".join(choices[:-1])
    some = f"{some} or {choices[-1]}" if some else choices[-1]
    raise UsageError(f"Expected {name} {some}; got {value!r}.{_meant(value, choices)}")


def check_output(
    output: str | Path | None, overwrite: bool = False, kind: str = "directory"
) -> None:
    """A place that is free, or may be overwritten, and can be written to.

    Args:
        kind: "directory" or "file".

    Raises:
        FileExistsError: it exists and may not be overwritten.
        IsADirectoryError, NotADirectoryError: it exists and is of the other kind, or a
            part of the path is a file.
        PermissionError: the directory that it would be made in may not be written to.
    """
    if output is None:
        return
    path = refuse_existing(output, overwrite, kind)
    if path.is_dir() and kind == "file":
        raise IsADirectoryError(f"Expected a file to write; {output} is a directory.")
    if path.is_file() and kind == "directory":
        raise NotADirectoryError(f"Expected a directory to write; {output} is a file.")
    above = next(p for p in path.absolute().parents if p.exists())
    if not above.is_dir():
        raise NotADirectoryError(
            f"Expected a place to make the {kind} {output} in; {above} is a file."
        )
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(
            f"Expected a place that may be written to; {above} may not. Choose another."
        )


def check_run_output(
    output: str | Path | None, resume: bool, overwrite: bool, kind: str = "directory"
) -> None:
    """As `check_output`, for what is OUTPUT.unfinished until it is done.

    Raises:
        FileExistsError: also for an unfinished run, with neither `resume` nor
            `overwrite`.
    """
    check_output(output, overwrite, kind)
    if output is not None:
        refuse_unfinished(output, resume, overwrite)


def check_number(
    name: str,
    value: float | None,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """A number within bounds; NaN is within none.

    >>> check_number("held_out", 0.7, least=0, most=0.5)
    Traceback (most recent call last):
    kbert...UsageError: Expected held_out of at least 0 and at most 0.5; got 0.7.
    """
    if value is None:
        return
    bounds = [
        (f"of at least {least}", least is None or value >= least),
        (f"above {above}", above is None or value > above),
        (f"at most {most}", most is None or value <= most),
        (f"below {below}", below is None or value < below),
    ]
    if all(holds for _, holds in bounds):
        return
    words = [text for text, _ in bounds if not text.endswith("None")]
    raise UsageError(f"Expected {name} {' and '.join(words)}; got {value}.")


def check_counts(**counts: int | None) -> None:
    """Numbers of things, each at least 1: `check_counts(batch_size=0)` raises."""
    for name, value in counts.items():
        check_number(name, value, least=1)


def check_share(name: str, value: float | None) -> None:
    """A share of a whole that leaves something over: from 0 to below 1."""
    check_number(name, value, least=0, below=1)


def check_packages(extra: str, *packages: str) -> None:
    """Packages that an extra of kbert brings; they are looked for, not imported.

    Raises:
        ModuleNotFoundError: one is not installed; says how to install it.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(
                f"Expected the packages of kbert[{extra}]; {package} is missing. "
                f"Install them: pip install 'kbert[{extra}]'.",
                name=package,
            )


def check_encoding(encoding: str | None) -> None:
    """An encoding of text that Python knows, as cp949."""
    if encoding is None:
        return
    try:
        b"x".decode(encoding)
    except UnicodeDecodeError:  # of two bytes a character, say
        return
    except (LookupError, ValueError):
        names = {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}
        raise UsageError(
            "Expected an encoding that Python knows, as utf-8, cp949 or euc-kr; got "
            f"{encoding!r}.{_meant(encoding.lower(), names)}"
        ) from None


def _meant(name, names):
    """The names that one might have meant, as a sentence to append; or nothing."""
    close = difflib.get_close_matches(name, sorted({*names} - {name}), 3)
    return f" Did you mean {' or '.join(close)}?" if close else ""
