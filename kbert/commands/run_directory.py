"""Where a training writes: OUTPUT.unfinished until it is done, OUTPUT from then on.

OUTPUT.unfinished/run.json holds what was asked; a run that goes on must ask the same of
the same data with the same versions.
"""

import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from kbert.commands.early_checks import check_run_output
from kbert.disk.json_object import json_object
from kbert.disk.provenance import command_of, versions
from kbert.disk.resumable_output import (
    begin_or_resume,
    refuse_other_facts,
    refuse_unfinished,
    write_json,
)
from kbert.disk.whole_directories import write_directory


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Where the result goes, and what may be there.

    Attributes:
        output: the directory to write.
        resume: go on with an unfinished run.
        overwrite: replace what is there.
    """

    output: str
    resume: bool = False
    overwrite: bool = False

    def check(self, arguments: dict) -> None:
        """Refuses an output that is there, or an unfinished run of something else.

        Args:
            arguments: of the run, but for `resume` and `overwrite`.
        """
        if self.is_finished(arguments):
            return
        check_run_output(self.output, self.resume, self.overwrite)
        if self.resume:
            refuse_other_facts(self.unfinished, {"arguments": arguments})

    @property
    def unfinished(self) -> Path:
        """OUTPUT.unfinished."""
        return refuse_unfinished(self.output, is_resumed=True, overwrites=True)

    def is_finished(self, arguments: dict) -> bool:
        """Whether what is to be resumed is done already: OUTPUT tells the same run."""
        if not self.resume or self.overwrite:
            return False
        try:
            done = json_object(Path(self.output) / "run.json")["arguments"]
        except (OSError, ValueError, KeyError):
            return False
        return done == json.loads(json.dumps(arguments, default=str))

    def clear(self) -> Path:
        """Of a finished run: what a kill left of it between renaming and clearing."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        print(f"{self.output} is finished already.")
        return Path(self.output)


def given(*options) -> dict:
    """The fields of frozen dataclasses that differ from their defaults, by name.

    >>> given(OutputOptions("my-bert", resume=True))
    {'output': 'my-bert', 'resume': True}
    """
    return {
        field.name: getattr(group, field.name)
        for group in options
        for field in dataclasses.fields(group)
        if getattr(group, field.name) != field.default
    }


def arguments_of(*options) -> dict:
    """All fields of frozen dataclasses by name, but for `resume` and `overwrite`."""
    return {
        field.name: getattr(group, field.name)
        for group in options
        for field in dataclasses.fields(group)
        if field.name not in ("resume", "overwrite")
    }


class RunDirectory:
    """The directory of one run of `finetune` or `pretrain`, begun or gone on with.

    Args:
        command: the name of the command.
        options: as the user gave them: frozen dataclasses, `OutputOptions` among them.
        positional: names of the options that are given by place.
        arguments: those that the run has, defaults filled in.
        data: facts about the data; a run that goes on must find the same.

    Attributes:
        path: OUTPUT.unfinished.
        facts: what run.json tells.

    Raises:
        FileExistsError: there is an unfinished run, and neither resume nor overwrite.
        ValueError: the unfinished run had other arguments, or its data has changed.
    """

    def __init__(
        self,
        command: str,
        options: tuple,
        positional: tuple[str, ...],
        arguments: dict,
        data: dict,
    ):
        self.output = next(o for o in options if isinstance(o, OutputOptions))
        asked = given(*options)
        resumed = asked | {"resume": True}
        self._command_to_resume = command_of(command, resumed, positional)
        for name in ("resume", "overwrite"):
            asked.pop(name, None)
        self.facts = {
            "arguments": arguments,
            "data": data,
            "versions": versions(),
            "command": command_of(command, asked, positional),
        }
        self.path = begin_or_resume(
            self.output.output, self.facts, self.output.resume, self.output.overwrite
        )

    @contextlib.contextmanager
    def working(self) -> Iterator[Path]:
        """What is done in the block may be interrupted; says then what is kept.

        If no state is kept yet, nothing is left behind.
        """
        try:
            yield self.path
        except BaseException as error:
            states = sorted(self.path.rglob("state-*/progress.json"))
            if not states:
                shutil.rmtree(self.path, ignore_errors=True)
            if isinstance(error, KeyboardInterrupt):
                print(self._farewell(states), file=sys.stderr)
            raise

    def _farewell(self, states):
        if not states:
            return "Interrupted before the first evaluation: nothing is kept."
        step = int(states[-1].parent.name.partition("-")[2])
        newest = self.path / "model"
        model = f" The model so far is {newest}." if newest.is_dir() else ""
        return (
            f"Interrupted.{model} The state at step {step:,} is kept in {self.path}; "
            f"go on with\n  {self._command_to_resume}"
        )

    @contextlib.contextmanager
    def finished(self, more_facts: dict) -> Iterator[Path]:
        """Gives a directory to write the result into; renamed to OUTPUT at the end.

        run.json is written beside it. The unfinished run goes.
        """
        with write_directory(self.output.output, self.output.overwrite) as aside:
            yield aside
            write_json(aside / "run.json", self.facts | more_facts)
        shutil.rmtree(self.path)
