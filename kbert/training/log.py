"""What a training writes while it runs: a table for eyes and scripts, TensorBoard."""

import csv
from pathlib import Path

from kbert.disk.whole_files import write_file


class TrainingLog:
    """`log.csv` and `tensorboard/` in a directory.

    Args:
        directory: made if it is not there.
        written_until: the step of the last row that TensorBoard has already.
    """

    def __init__(self, directory: Path, written_until: int = 0):
        self.directory = Path(directory)
        self.written_until = written_until
        self._writer = None

    def write(self, history: list[dict]) -> None:
        """Takes the whole history: rows of "step", "epoch", "loss", and "dev_…" scores.

        The table is written anew and renamed, so that it never has a row twice.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        write_csv(self.directory / "log.csv", history)
        self._write_events([row for row in history if row["step"] > self.written_until])
        self.written_until = max(
            [self.written_until, *(row["step"] for row in history)]
        )

    def _write_events(self, rows):
        import tensorflow as tf

        if self._writer is None:
            directory = str(self.directory / "tensorboard")
            self._writer = tf.summary.create_file_writer(directory)
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
