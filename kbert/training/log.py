"""What a training writes while it runs: a table for eyes and scripts, TensorBoard."""

import csv
import shutil
from pathlib import Path

from kbert.disk.whole_files import write_file


class TrainingLog:
    """`log.csv` and `tensorboard/` in a directory.

    What another log left there is replaced: a training that goes on hands its whole
    history to the first `write`, so that nothing is there twice and nothing is missing,
    wherever it was stopped.

    Args:
        directory: made if it is not there.
    """

    def __init__(self, directory: Path):
        self.directory = Path(directory)
        self._writer = None
        self._written_until = 0

    def write(self, history: list[dict]) -> None:
        """Takes the whole history: rows of "step", "epoch", "loss", and "dev_…" scores.

        The table is written anew and renamed, so that it never has a row twice.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        write_csv(self.directory / "log.csv", history)
        new = [row for row in history if row["step"] > self._written_until]
        self._write_events(new)
        self._written_until = max([self._written_until, *(row["step"] for row in new)])

    def _write_events(self, rows):
        import tensorflow as tf

        if self._writer is None:
            directory = self.directory / "tensorboard"
            shutil.rmtree(directory, ignore_errors=True)
            self._writer = tf.summary.create_file_writer(str(directory))
        # As tf.summary.scalar, which needs TensorBoard installed.
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "scalars"
        with self._writer.as_default():
            for row in rows:
                for name in row.keys() - {"step"}:
                    tag = name.replace("dev_", "dev/")
                    value = tf.constant(row[name], "float32")
                    tf.summary.write(tag, value, row["step"], metadata)
        self._writer.flush()


def write_csv(path: Path, rows: list[dict]) -> None:
    """Rows as a table; columns in the order in which they first come."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (
        write_file(path) as aside,
        open(aside, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
