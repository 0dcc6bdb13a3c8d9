"""What training, evaluation and prediction ask of a task.

A task is a frozen dataclass: what a fine-tuned model's directory has to know beside the
weights. It reads the field's files into examples, packs them into rows for the model,
turns the model's outputs into answers, and scores those. `TextClassification`,
`TokenClassification` and `QuestionAnswering` are written apart and share no base class;
this protocol is what they have in common.

    examples = list(task.read("train.tsv"))
    task = task.learned(examples)                        labels come from the examples
    packed = task.pack(examples, tokenizer)              rows of ids, and their targets
    inputs, targets, weights = task.batch(packed, rows)  what `model.fit` takes
    answers = task.decode(outputs, packed)               one dict for each example
    task.score(answers, examples)                        {"accuracy": 0.87, …}
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np


class Task(Protocol):
    """See the module.

    Attributes:
        metric: the score that a training chooses by; higher is better.
        sequence_length: tokens of a row, special ones counted.
        outputs_per: "row" if the model answers once for each row, (rows, …); "token" if
            it answers for every token, (rows, L, …).
        num_texts: of a row: 1, or 2 where it is a pair.
    """

    metric: str
    sequence_length: int
    outputs_per: str
    num_texts: int

    def to_config(self) -> dict:
        """Fields of `config.json`, our own under "kbert"."""

    def read(self, source: str, is_labelled: bool = True) -> Iterator[Any]:
        """The examples of a file or of `tfds:NAME`, one at a time.

        Raises:
            ValueError: what does not fit, with the file and the line.
        """

    def example(self, texts: tuple[str, ...], number: int) -> Any:
        """The example, without label, of the texts that an answer is made from.

        Args:
            texts: one text, a pair, a question and its context: what the task reads.
            number: of the example, from 1.

        Raises:
            ValueError: other texts than the task reads.
        """

    def typed(self, line: str, number: int) -> Any:
        """The example behind one line of standard input, its texts parted by tabs."""

    def learned(self, examples: list) -> "Task":
        """The task with the labels that the training examples have."""

    def group(self, example: Any) -> str | None:
        """What must not be torn when examples are held out; None: nothing."""

    def num_characters(self, example: Any) -> int:
        """Of its texts: what it takes to hold an example, roughly."""

    def build(self, backbone: Any) -> Any:
        """The Keras model with this task's head on a `BertBackbone`."""

    def compile_arguments(self) -> dict:
        """Loss and metrics for `model.compile`."""

    def pack(self, examples: list, tokenizer: Any) -> Any:
        """Rows for the model: an object with `rows` (`PackedRows`) and the task's own.

        Examples without labels are packed too; long ones may take several rows.
        """

    def batch(self, packed: Any, rows: np.ndarray) -> tuple[dict, Any, Any]:
        """(inputs, targets, sample weights) of some rows, padded to the longest."""

    def decode(self, outputs: Any, packed: Any) -> list[dict]:
        """One answer for each example, in order, ready for JSON.

        Args:
            outputs: float32 logits in the order of `packed.rows`: (rows, …), or, per
                token, (N, …) without padding, end to end as `packed.rows.token_ids`. A
                dict of such arrays where the model's output is a dict.
        """

    def files(self, answers: list[dict]) -> dict[str, str]:
        """What an evaluation keeps of the answers: name of a file -> its content."""

    def score(self, answers: list[dict], examples: list) -> dict[str, float]:
        """Scores of answers against labelled examples; `metric` is among them."""

    def floor(self, examples: list) -> float:
        """What `metric` gives to the best answer that looks at no example.

        The majority's accuracy, 0 for a correlation: a run at this height collapsed.
        """

    def calibrated(self, answers: list[dict], examples: list) -> "Task":
        """The task with thresholds chosen on held-out examples; most have none."""


def check_segments(num_texts: int, num_segments: int) -> None:
    """A pair needs two rows in the model's table of segments.

    A text's own row would do for neither: where TensorFlow runs on a CPU it stops, and
    elsewhere vectors of zeros, or of the wrong segment, are taken in silence.

    Args:
        num_texts: of a row, `task.num_texts`.
        num_segments: the model's; `type_vocab_size` in config.json.

    Raises:
        ValueError: more texts than segments.
    """
    if num_texts > num_segments:
        raise ValueError(
            f"Expected a model with {num_texts} segments, for pairs of texts; it has "
            f"{num_segments} (type_vocab_size in config.json). Take another model, or "
            "one text: join the two by a space."
        )


def scored(task: Task, answers: Iterable[dict], examples: Iterable) -> dict[str, float]:
    """`task.score`, with the number of examples beside it."""
    answers, examples = list(answers), list(examples)
    return task.score(answers, examples) | {"num_examples": len(examples)}


def json_lines(answers: Iterable[dict]) -> str:
    """One JSON object a line.

    >>> json_lines([{"label": "긍정"}, {"label": "부정"}])
    '{"label": "긍정"}\\n{"label": "부정"}\\n'
    """
    return "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in answers)
