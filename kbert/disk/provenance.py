"""What a run must keep so that it can be repeated and trusted."""

import hashlib
import importlib.metadata
import platform
import shlex
from pathlib import Path

_PACKAGES = ("kbert", "tensorflow", "tensorflow-text", "keras", "numpy")


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from its sources
            found[package] = "unknown"
    return found


def data_facts(source: str, num_examples: int | None) -> dict:
    """Where examples came from: path, SHA-256 and size of a file; or a TFDS name."""
    facts = {"source": str(source), "num_examples": num_examples}
    if Path(source).is_file():
        facts |= {"sha256": sha256(source), "bytes": Path(source).stat().st_size}
    return facts


def directory_facts(path: Path) -> dict[str, str]:
    """SHA-256 of each file of a model, by name; directories in it are left out."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: sha256(file) for file in files if file.is_file()}


def sha256(path: str | Path) -> str:
    """Of a file, read in pieces; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def command_of(name: str, arguments: dict, positional: tuple[str, ...] = ()) -> str:
    """The line for a shell that calls a command with these arguments.

        >>> arguments = {"task": "tagging", "epochs": 5, "overwrite": True}
        >>> command_of("finetune", arguments, positional=("task",))
        'kbert finetune tagging --epochs 5 --overwrite'

    Args:
        arguments: those that differ from their defaults; None and False are left out.
        positional: names of those that are given by place.
    """
    words = ["kbert", name]
    for key in positional:
        if arguments.get(key) is not None:
            words += _words(arguments[key])
    for key, value in arguments.items():
        if key in positional or value is None or value is False:
            continue
        words.append("--" + key.replace("_", "-"))
        if value is not True:
            words += _words(value)
    return shlex.join(words)


def _words(value):
    return map(str, value if isinstance(value, list | tuple) else [value])
