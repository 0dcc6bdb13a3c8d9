"""A file of answers that is written a window at a time and can be gone on with.

OUTPUT.unfinished/  run.json       what was asked, of which model and data
                    answers.jsonl  the answers so far
OUTPUT              the answers, when all are there
"""

import json
import os
import shutil
import sys
from pathlib import Path

from kbert.disk.resumable_output import begin_or_resume


class AnswerFile:
    """One JSON object a line, in the order of the examples.

    The windows that the examples come in are the same when they are read again. So the
    lines that are there tell where to go on, and the end is byte for byte what it would
    have been: a window that is there only in part is computed again.

        with AnswerFile("answers.jsonl", facts, is_resumed=True) as file:
            for window in windows:
                if not file.has(len(window)):
                    file.write(answers_to(window))

    Args:
        output: the file's path.
        facts: what the answers depend on; see `begin_or_resume`, whose errors are ours.
        is_resumed: go on with what was stopped.
        overwrites: start again, and replace the output that is there.
    """

    def __init__(self, output, facts: dict, is_resumed: bool, overwrites: bool = False):
        self.output = Path(output)
        if self.output.is_dir():
            raise IsADirectoryError(
                f"Expected a file to write answers to; {output} is a directory."
            )
        self.directory = begin_or_resume(output, facts, is_resumed, overwrites)
        self.path = self.directory / "answers.jsonl"
        self.path.touch()
        self._ends = _ends_of_lines(self.path)  # of the lines not yet looked at
        self._there = 0  # bytes that stay
        self._is_behind = False  # what was there

    def has(self, count: int) -> bool:
        """Whether the next `count` answers are there; if so, they are passed over."""
        if self._is_behind:
            return False
        for _ in range(count):
            end = next(self._ends, None)
            if end is None:
                return False
        self._there = end
        return True

    def write(self, answers: list[dict]) -> None:
        """The next window of answers, on disk when this returns.

        Raises:
            OSError: the disk is full; the windows before stay.
        """
        if not self._is_behind:
            self._stream.truncate(self._there)
            self._stream.seek(self._there)
            self._is_behind = True
        lines = [json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers]
        self._stream.write("".join(lines).encode("utf-8"))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def __enter__(self) -> "AnswerFile":
        self._stream = open(self.path, "r+b")
        return self

    def __exit__(self, kind, error, trace):
        self._stream.close()
        if kind is None:
            os.replace(self.path, self.output)
            shutil.rmtree(self.directory)
        elif not self.path.stat().st_size:
            shutil.rmtree(self.directory)
        else:
            print(
                f"What is done so far is in {self.path}; the same command with "
                "--resume goes on from there.",
                file=sys.stderr,
            )


def _ends_of_lines(path):
    """The places behind each whole line, in bytes."""
    place = 0
    with open(path, "rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            place += len(line)
            yield place
