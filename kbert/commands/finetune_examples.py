"""The examples of a fine-tuning: read and held out, then packed.

Reading needs no framework: a broken file is told before TensorFlow is imported.
"""

import dataclasses
from typing import Any

import numpy as np

from kbert.commands.early_checks import UsageError
from kbert.commands.finetune_options import FinetuneOptions, positions_of, too_long
from kbert.disk.provenance import data_facts
from kbert.registry import new_task
from kbert.tasks.data.tfds import with_split
from kbert.tasks.task import Task

_ANY_LENGTH = 1 << 20  # until the model's positions are known
_HOLDING_OUT = 0  # the seed: held out are the same examples for all trainings


@dataclasses.dataclass(frozen=True)
class RunExamples:
    """What is trained on, and what is held out.

    Attributes:
        task: with the labels of the training examples.
        train: training examples.
        dev: held-out ones, or None.
        facts: source, hash and number of examples of "train" and "dev".
    """

    task: Task
    train: list
    dev: list | None
    facts: dict

    def pack(self, options: FinetuneOptions, tokenizer, longest: int) -> "PackedRun":
        """Rows for a model.

        Args:
            tokenizer: the model's.
            longest: tokens that the model has positions for.

        Raises:
            ValueError: rows are to be longer than that.
        """
        length = options.rows.sequence_length or longest
        if length > longest:
            raise UsageError(too_long(length, longest, options.training.model))
        task = dataclasses.replace(self.task, sequence_length=length)
        dev = None if self.dev is None else task.pack(self.dev, tokenizer)
        return PackedRun(self, task, task.pack(self.train, tokenizer), dev)


@dataclasses.dataclass(frozen=True)
class PackedRun:
    """The rows of a run.

    Attributes:
        examples: what they were made of.
        task: with the length of the rows.
        train: rows of the training examples.
        dev: rows of the held-out ones, or None.
    """

    examples: RunExamples
    task: Task
    train: Any
    dev: Any

    def __str__(self):
        lengths = self.train.rows.lengths
        longest = self.task.sequence_length
        full = int((lengths >= longest).sum())
        count = self.examples.facts["train"]["num_examples"]
        lines = [f"{count:,} training examples"]
        if self.dev is not None:
            lines[0] += f", {len(self.examples.dev):,} held out"
        labels = getattr(self.task, "labels", ())
        if labels:
            shown = ", ".join(labels[:12]) + (", …" if len(labels) > 12 else "")
            lines[0] += f", {len(labels)} labels: {shown}"
        rows = f"{len(lengths):,} rows of {lengths.mean():.0f} tokens on average"
        if self.task.outputs_per == "row":
            rows += f"; {full:,} fill all {longest}, and what is longer is cut"
        return "\n".join([*lines, rows])


def read_examples(options: FinetuneOptions) -> RunExamples:
    """The examples that the options ask for.

    Args:
        options: checked.

    Raises:
        UsageError: the task does not take an option.
        ValueError: an example is of no use; the file and the line are named.
    """
    data = options.data
    try:
        plan = new_task(data.task, **_fields(options))
    except ValueError as error:
        raise UsageError(str(error)) from None
    source = with_split(data.train, "train")
    train = list(plan.read(source))
    facts = {"train": data_facts(source, len(train))}
    task = plan.learned(train)
    dev = None
    if data.dev:
        dev_source = with_split(data.dev, "validation")
        dev = list(task.read(dev_source))
        facts["dev"] = data_facts(dev_source, len(dev))
    elif data.dev_share:
        train, dev = hold_out(train, data.dev_share, task.group)
        facts["train"]["num_examples"] = len(train)
        facts["dev"] = {
            "source": f"{data.dev_share:.0%} of {source}",
            "num_examples": len(dev),
        }
    return RunExamples(task, train, dev, facts)


def hold_out(examples: list, share: float, group) -> tuple[list, list]:
    """Parts examples into (training, held out), the same for every call.

    Args:
        share: of the examples, 0 to 1; at least one is held out.
        group: example -> what must not be torn, or None.

    Raises:
        ValueError: nothing would be left to train on.
    """
    groups = {}
    for number, example in enumerate(examples):
        key = group(example)
        groups.setdefault(number if key is None else key, []).append(number)
    keys = list(groups)
    chosen = set()
    for index in np.random.default_rng(_HOLDING_OUT).permutation(len(keys)):
        if len(chosen) >= max(1, share * len(examples)):
            break
        chosen.update(groups[keys[index]])
    if len(chosen) == len(examples):
        raise ValueError(
            f"Expected something to train on beside {share:.0%} held out; there are "
            f"{len(examples)} examples in {len(keys)} groups that stay together."
        )
    kept = [e for i, e in enumerate(examples) if i not in chosen]
    return kept, [examples[i] for i in sorted(chosen)]


def _fields(options):
    """Fields of the task's class; None leaves its default."""
    data, rows = options.data, options.rows
    positions = positions_of(options.training.model)
    return {
        "metric": data.metric,
        "encoding": data.encoding,
        "granularity": data.granularity,
        "label_separator": data.label_separator,
        "class_weights": data.class_weights and tuple(data.class_weights),
        "header": data.header,
        "sequence_length": rows.sequence_length or positions or _ANY_LENGTH,
        "stride": rows.stride,
        "max_question_length": rows.max_question_length,
        "max_answer_length": rows.max_answer_length,
        "text_columns": data.text_column and tuple(data.text_column),
        "label_column": data.label_column,
    }
