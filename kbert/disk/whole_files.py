"""Files that are whole or not there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kbert.disk.whole_directories import told_whole


@contextlib.contextmanager
def write_file(file: str | Path) -> Iterator[Path]:
    """Gives a path aside to write to and renames it at the end.

    A reader sees the old content or the new, never a mixture. The path aside has the
    file's ending, and lies beside it: `.NAME.new-PID.csv` for NAME.csv.

        with write_file("log.csv") as aside:
            aside.write_text("step,loss\\n")

    Raises:
        OSError: the disk is full or may not be written to; what was there before is
            whole. Errors of other kinds within the block leave no trace either, and
            are passed on as they are.
    """
    file = Path(file)
    aside = file.with_name(f".{file.stem}.new-{os.getpid()}{file.suffix}")
    with told_whole(file, aside):
        try:
            yield aside
            os.replace(aside, file)
        finally:
            aside.unlink(missing_ok=True)
