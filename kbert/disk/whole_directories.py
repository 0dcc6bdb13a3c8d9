"""Directories that are whole or not there."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def refuse_existing(
    path: str | Path, overwrite: bool = False, kind: str = "directory"
) -> Path:
    """Asked before long work, so that it is not done in vain.

    Args:
        kind: what is to be written there, for the error.

    Raises:
        FileExistsError: the path exists and may not be overwritten.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"Expected a {kind} that does not exist yet; {path} does. Choose "
            "another or pass --overwrite (overwrite=True)."
        )
    return path


@contextlib.contextmanager
def write_directory(directory: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Gives a directory aside to write into and renames it at the end.

    A reader sees the old content or the new, never a mixture. If the process dies while
    writing, the old directory is untouched. When it is replaced, it is moved aside
    first and deleted last: at the one instant at which the name is free, both the old
    (`.NAME.old-PID`) and the new directory are whole on disk.

    Raises:
        FileExistsError: the directory exists and may not be overwritten.
        OSError: the disk is full or may not be written to; nothing half-written is
            left. Errors of other kinds within the block leave no trace either, and are
            passed on as they are.
    """
    directory = refuse_existing(directory, overwrite)
    aside = directory.with_name(f".{directory.name}.new-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    with told_whole(directory, aside):
        try:
            aside.mkdir(parents=True)
            yield aside
            if directory.exists():
                old = directory.with_name(f".{directory.name}.old-{os.getpid()}")
                directory.rename(old)
                aside.rename(directory)
                shutil.rmtree(old)
            else:
                aside.rename(directory)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def told_whole(place: Path, aside: Path) -> Iterator[None]:
    """What the disk refuses while `aside` is written, told of `place`; see above."""
    try:
        yield
    except OSError as error:
        is_ours = str(error.filename or "").startswith(str(aside))
        if error.errno not in _DISK_ERRORS and not is_ours:
            raise
        raise OSError(
            error.errno,
            f"Expected to write {place}; {os.strerror(error.errno)}. Nothing of it was "
            "kept, and what was there before is whole: make room, or choose a place "
            "that may be written to",
        ) from error
