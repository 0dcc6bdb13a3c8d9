"""A question, or the beginning of a story, and several choices: one of them is right.

{"question": "비가 오면", "choices": ["우산을 쓴다", "눈을 감는다"], "label": 0}
    -> [CLS] 비가 오면 [SEP] 우산을 쓴다 [SEP]
       [CLS] 비가 오면 [SEP] 눈을 감는다 [SEP]   and a softmax over the two
"""

import collections
import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from kbert.tasks.data.records import fields, read_records
from kbert.tasks.rows.packed_rows import PackedRows, pack_rows
from kbert.tasks.task import check_segments, json_lines

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclasses.dataclass(frozen=True)
class Choices:
    """A question with its choices.

    Attributes:
        question: what is asked, or begun.
        choices: two or more.
        label: the place of the right one, from 0; None if it is not known.
    """

    question: str
    choices: tuple[str, ...]
    label: int | None = None


@dataclasses.dataclass(frozen=True)
class ChoiceRows:
    """The rows of all choices; a question is as many of them as it has choices.

    Attributes:
        rows: one for each choice, those of a question one after the other.
        starts: int64 (questions + 1,); question i has the rows starts[i]:starts[i + 1].
    """

    rows: PackedRows
    starts: np.ndarray

    def __len__(self):
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 (questions,), tokens of the longest choice of each."""
        return np.maximum.reduceat(self.rows.lengths, self.starts[:-1])

    @property
    def rows_per_example(self) -> int:
        """C, the most choices of a question: what every batch is filled up to."""
        return int(np.diff(self.starts).max())

    def batch(self, questions: np.ndarray) -> dict:
        """The model's inputs for some questions, int32 (B, C, L) each.

        A question with fewer choices is filled up with rows that are all padding.
        """
        place = np.arange(self.rows_per_example)
        is_there = place < np.diff(self.starts)[questions][:, None]  # (B, C)
        rows = (self.starts[questions][:, None] + place)[is_there]
        inputs = self.rows.batch(rows)
        filling = {"token_ids": self.rows.pad_id}
        result = {}
        for name, array in inputs.items():
            shape = (*is_there.shape, array.shape[1])
            result[name] = np.full(shape, filling.get(name, 0), array.dtype)
            result[name][is_there] = array
        return result


@dataclasses.dataclass(frozen=True)
class PackedChoices:
    """What `MultipleChoice.pack` gives.

    Attributes:
        rows: `ChoiceRows`.
        targets: int32 (questions,), the right choices; 0 where none is known.
        choices: the texts of each question's choices.
    """

    rows: ChoiceRows
    targets: np.ndarray
    choices: list[tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class MultipleChoice:
    """What the directory of such a model has to know beside the weights; a `Task`.

    Attributes:
        sequence_length: tokens that a question with one choice is cut to.
        metric: "accuracy".
        text_columns: of the question and of its choices, a list of texts.
        label_column: of the right one: its place from 0, its letter ("A" for the
            first), or its text.
        encoding: of the files.

    Raises:
        ValueError: another metric, or other than two text columns.
    """

    sequence_length: int = 128
    metric: str = "accuracy"
    text_columns: tuple[str, ...] = ("question", "choices")
    label_column: str = "label"
    encoding: str = "utf-8"

    outputs_per: ClassVar[str] = "row"
    num_texts: ClassVar[int] = 2

    def __post_init__(self):
        if self.metric != "accuracy":
            raise ValueError(f"Expected the metric accuracy; got {self.metric!r}.")
        if len(self.text_columns) != 2:
            raise ValueError(
                "Expected two text columns, of the question and of its choices; got "
                f"{len(self.text_columns)}: {', '.join(self.text_columns) or 'none'}."
            )

    def to_config(self) -> dict:
        """Fields of `config.json`, all of them our own."""
        own = dataclasses.asdict(self) | {"text_columns": list(self.text_columns)}
        del own["encoding"]
        return {"kbert": {"task": "multiple_choice"} | own}

    @classmethod
    def from_config(cls, config: dict) -> "MultipleChoice":
        """Reads `config.json`; without ours, all is as by default.

        Raises:
            ValueError: the config is not that of such a model.
        """
        architecture = (config.get("architectures") or ["BertModel"])[0]
        if architecture != "BertForMultipleChoice":
            raise ValueError(
                "Expected the directory of a model for multiple choice; this one holds "
                f"a {architecture}. Make one with kbert finetune multiple-choice."
            )
        own = config.get("kbert", {})
        longest = config.get("max_position_embeddings", 512)
        return cls(
            sequence_length=own.get("sequence_length", longest),
            text_columns=tuple(own.get("text_columns", cls.text_columns)),
            label_column=own.get("label_column", cls.label_column),
        )

    def read(self, source: str, is_labelled: bool = True) -> Iterator[Choices]:
        """The questions of a `.jsonl` or `.json` file, or of `tfds:NAME`.

        Raises:
            ValueError: a missing column, a question or choice without text, fewer than
                two choices, or a label that is none of them; names the row.
        """
        columns = (*self.text_columns, *[self.label_column][: int(is_labelled)])
        for number, record in enumerate(read_records(source, self.encoding), 1):
            place = f"row {number} of {source}"
            cells = fields(record, columns, source, number)
            question, choices = _checked(*cells[:2], place)
            label = _place_of(cells[2], choices, place) if is_labelled else None
            yield Choices(question, choices, label)

    def example(self, texts: tuple[str, ...], number: int) -> Choices:
        """A question, and its choices behind it.

        Raises:
            ValueError: fewer than two choices, or a text without words.
        """
        question, *choices = texts
        return Choices(*_checked(question, choices, f"example {number}"))

    def typed(self, line: str, number: int) -> Choices:
        """question<TAB>choice<TAB>choice…, as a line of standard input has them."""
        return self.example(tuple(line.split("\t")), number)

    def learned(self, examples: list[Choices]) -> "MultipleChoice":
        """The task itself: it has no labels of its own.

        Raises:
            ValueError: an example whose right choice is not known.
        """
        self._golds(examples)
        return self

    def group(self, example: Choices) -> str:
        """Questions that are asked twice stay together."""
        return example.question

    def num_characters(self, example: Choices) -> int:
        """Of all the rows that it becomes."""
        texts = [len(example.question) + len(choice) for choice in example.choices]
        return sum(texts)

    def build(self, backbone):
        """A `BertMultipleChoice`."""
        from kbert.models.multiple_choice import BertMultipleChoice

        check_segments(self.num_texts, backbone.num_segments)
        return BertMultipleChoice(backbone)

    def compile_arguments(self) -> dict:
        """Cross-entropy over the choices of each question."""
        import keras

        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "weighted_metrics": [
                keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            ],
        }

    def pack(self, examples: list[Choices], tokenizer) -> PackedChoices:
        """A row [CLS] question [SEP] choice [SEP] for each choice."""
        from kbert.text.preprocessor import BertPreprocessor

        counts = [len(example.choices) for example in examples]
        questions = [e.question for e in examples for _ in e.choices]
        choices = [choice for example in examples for choice in example.choices]
        preprocessor = BertPreprocessor(tokenizer, self.sequence_length)
        rows = pack_rows(preprocessor, [questions, choices])
        return PackedChoices(
            ChoiceRows(rows, np.concatenate([[0], np.cumsum(counts)])),
            np.array([example.label or 0 for example in examples], "int32"),
            [example.choices for example in examples],
        )

    def batch(self, packed: PackedChoices, rows: np.ndarray) -> tuple:
        """(inputs, targets int32 (B,), weights float32 (B,)) of some questions."""
        weights = np.ones(len(rows), "float32")
        return packed.rows.batch(rows), packed.targets[rows], weights

    def decode(self, outputs: np.ndarray, packed: PackedChoices) -> list[dict]:
        """The choice of each question.

            {"choice": "우산을 쓴다", "index": 0, "score": 0.9, "scores": [0.9, 0.1]}

        `scores` are the probabilities of the choices, in their order; they sum to 1.
        """
        answers = []
        for logits, choices in zip(outputs.astype("float64"), packed.choices):
            logits = logits[: len(choices)]
            scores = np.exp(logits - logits.max())
            scores /= scores.sum()
            best = int(scores.argmax())
            answers.append(
                {
                    "choice": choices[best],
                    "index": best,
                    "score": float(scores[best]),
                    "scores": scores.tolist(),
                }
            )
        return answers

    def files(self, answers: list[dict]) -> dict[str, str]:
        """predictions.jsonl, an answer a line."""
        return {"predictions.jsonl": json_lines(answers)}

    def score(self, answers: list[dict], examples: list[Choices]) -> dict[str, float]:
        """`accuracy`, and `loss` in nats: minus the log of the right one's score."""
        golds = self._golds(examples)
        pairs = list(zip(answers, golds, strict=True))
        right = np.array([answer["scores"][gold] for answer, gold in pairs])
        return {
            "accuracy": float(np.mean([a["index"] == gold for a, gold in pairs])),
            "loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
        }

    def floor(self, examples: list[Choices]) -> float:
        """The accuracy of the place that is right most often."""
        counts = collections.Counter(self._golds(examples))
        return max(counts.values()) / len(examples)

    def calibrated(self, answers: list[dict], examples: list) -> "MultipleChoice":
        """The task itself: it has no threshold."""
        return self

    def _golds(self, examples):
        for number, example in enumerate(examples, 1):
            if example.label is None:
                raise ValueError(
                    f"Expected the right choice of every question; row {number} of the "
                    "examples has none."
                )
        return [example.label for example in examples]


def _checked(question, choices, place):
    """The texts, if they are texts.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(question, str) or not question.strip():
        raise ValueError(
            f"Expected a question with text in it; {place} has {question!r}."
        )
    is_list = isinstance(choices, list | tuple)
    if not is_list or not all(isinstance(c, str) and c.strip() for c in choices):
        raise ValueError(
            f"Expected the choices as a list of texts; {place} has {choices!r:.80}."
        )
    if len(choices) < 2:
        raise ValueError(f"Expected two choices or more; {place} has {len(choices)}.")
    return question, tuple(choices)


def _place_of(label, choices, place) -> int:
    """Where the right choice stands, from 0: by number, by text or by letter.

    >>> _place_of(1, ("a", "b"), ""), _place_of("b", ("a", "b"), "")
    (1, 1)
    >>> _place_of("B", ("yes", "no"), ""), _place_of("0", ("yes", "no"), "")
    (1, 0)

    Raises:
        ValueError: none of the choices, or the text of two.
    """
    if isinstance(label, str):
        if choices.count(label) > 1:
            raise ValueError(
                f"Expected different choices; {place} has {label!r} twice."
            )
        if label in choices:
            return choices.index(label)
        if len(label) == 1 and label in _LETTERS:
            label = _LETTERS.index(label)
        elif label.isdecimal():
            label = int(label)
    if isinstance(label, bool) or not isinstance(label, int):
        label = -1
    if not 0 <= label < len(choices):
        raise ValueError(
            f"Expected the place of one of the {len(choices)} choices, from 0, its "
            f"letter, from A, or its text; {place} has another label."
        )
    return label
