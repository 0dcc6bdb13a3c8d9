"""The examples of a run: read, held out, packed."""

import dataclasses
from typing import Any

import numpy as np

from kbert.disk.provenance import data_facts
from kbert.registry import new_task
from kbert.tasks.data.known_datasets import known_dataset
from kbert.tasks.data.tfds import is_tfds, with_split
from kbert.tasks.task import Task

_SAME_NAME = (  # as arguments of `finetune` and as fields of tasks
    "metric",
    "encoding",
    "stride",
    "granularity",
    "label_separator",
    "max_question_length",
    "max_answer_length",
)
_HOLDING_OUT = 0  # the seed: held out are the same examples for all trainings


@dataclasses.dataclass(frozen=True)
class RunExamples:
    """What is trained on, and what is looked at on the way.

    Attributes:
        task: with the labels of the training examples.
        packed: their rows.
        held_out: (examples, their rows), or None.
        facts: source, hash and number of examples of "train" and "dev".
    """

    task: Task
    packed: Any
    held_out: tuple[list, Any] | None
    facts: dict

    def __str__(self):
        lengths = self.packed.rows.lengths
        longest = self.task.sequence_length
        full = int((lengths >= longest).sum())
        lines = [f"{self.facts['train']['num_examples']:,} training examples"]
        if self.held_out is not None:
            lines[0] += f", {len(self.held_out[0]):,} held out"
        labels = getattr(self.task, "labels", ())
        if labels:
            shown = ", ".join(labels[:12]) + (", …" if len(labels) > 12 else "")
            lines[0] += f", {len(labels)} labels: {shown}"
        rows = f"{len(lengths):,} rows of {lengths.mean():.0f} tokens on average"
        if self.task.outputs_per == "row":
            rows += f"; {full:,} fill all {longest}, and what is longer is cut"
        return "\n".join([*lines, rows])


def read_examples(arguments: dict, tokenizer, longest: int) -> RunExamples:
    """The examples that `finetune`'s arguments ask for.

    Args:
        arguments: those of `finetune`, with a preset's filled in.
        tokenizer: the model's.
        longest: tokens that the model has positions for.

    Raises:
        ValueError: the task does not take an option, or an example is of no use; the
            file and the line are named.
    """
    length = arguments["sequence_length"] or longest
    if length > longest:
        raise ValueError(
            f"sequence_length must be at most {longest}, the positions of "
            f"{arguments['model']}; got {length}."
        )
    plan = new_task(arguments["task"], **_options(arguments, length))
    train = with_split(arguments["train"], "train")
    examples = list(plan.read(train))
    facts = {"train": data_facts(train, len(examples))}
    task = plan.learned(examples)
    dev_examples = None
    if arguments["dev"]:
        dev = with_split(arguments["dev"], "validation")
        dev_examples = list(task.read(dev))
        facts["dev"] = data_facts(dev, len(dev_examples))
    elif arguments["dev_share"]:
        share = arguments["dev_share"]
        examples, dev_examples = hold_out(examples, share, task.group)
        facts["train"]["num_examples"] = len(examples)
        facts["dev"] = {
            "source": f"{share:.0%} of {train}",
            "num_examples": len(dev_examples),
        }
    held_out = None
    if dev_examples is not None:
        held_out = dev_examples, task.pack(dev_examples, tokenizer)
    return RunExamples(task, task.pack(examples, tokenizer), held_out, facts)


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


def _options(arguments, length):
    """Fields of the task's class; None leaves its default."""
    columns = arguments["text_column"], arguments["label_column"]
    options = {name: arguments[name] for name in _SAME_NAME}
    options["sequence_length"] = length
    if arguments["preset"] and not is_tfds(arguments["train"]):
        options["header"] = known_dataset(arguments["preset"]).header or None
    if arguments["class_weights"]:
        options["class_weights"] = tuple(arguments["class_weights"])
    if arguments["task"] == "tagging":
        options["word_column"] = columns[0] and columns[0][0]
        options["tag_column"] = columns[1]
    else:
        options["text_columns"] = columns[0] and tuple(columns[0])
        options["label_column"] = columns[1]
    return options
