"""The options of `kbert finetune`, and what is refused before anything is done.

Nothing here imports a framework: a wrong option is told in a fraction of a second.
"""

import dataclasses
import json
import math
from pathlib import Path

from kbert.checkpoints.hubs import is_handle
from kbert.commands.early_checks import (
    UsageError,
    check_choice,
    check_counts,
    check_data,
    check_encoding,
    check_model,
    check_number,
    check_share,
)
from kbert.commands.run_directory import OutputOptions, arguments_of
from kbert.commands.training_options import (
    LARGEST_SEED,
    check_optimizer,
    check_strategy,
)
from kbert.registry import TASKS
from kbert.tasks.data.known_datasets import (
    from_tfds,
    known_dataset,
    known_dataset_files,
)
from kbert.tasks.data.tfds import is_tfds
from kbert.text.tokenizer_files import model_path

DEFAULT_MODEL = "kbert_tiny_ko_en"


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Which examples, and what their columns hold; see `finetune`."""

    train: str
    task: str = ""
    dev: str | None = None
    dev_share: float = 0.0
    dataset: str | None = None
    text_column: list[str] | None = None
    label_column: str | None = None
    label_separator: str | None = None
    class_weights: list[str] | None = None
    granularity: str | None = None
    encoding: str | None = None
    metric: str | None = None

    @property
    def has_dev(self) -> bool:
        """Whether anything is held out to choose by."""
        return bool(self.dev or self.dev_share)

    def check(self) -> None:
        """Raises `UsageError` for what can never be right."""
        if self.task:
            check_choice("task", self.task, TASKS)
        if self.dataset:
            try:
                known_dataset(self.dataset)
            except ValueError as error:
                raise UsageError(str(error)) from None
        elif not self.task:
            raise UsageError(
                f"Expected a task out of {', '.join(TASKS)}, or --dataset."
            )
        check_share("dev_share", self.dev_share)
        if self.dev and self.dev_share:
            raise UsageError("Expected dev or dev_share, not both.")
        check_encoding(self.encoding)

    def filled(self) -> "DataOptions":
        """With a known data set's answers where none is given, and its files.

        Raises:
            FileNotFoundError: a file of the data set is not there.
        """
        options = self
        if self.dataset:
            known = known_dataset(self.dataset)
            if is_tfds(self.train):
                known = from_tfds(known)
            elif Path(self.train).is_dir():
                train, dev = known_dataset_files(self.dataset, self.train)
                dev = None if self.dev_share else self.dev or dev
                options = dataclasses.replace(options, train=train, dev=dev)
            options = dataclasses.replace(
                options,
                task=self.task or known.task,
                text_column=self.text_column or list(known.text_columns) or None,
                label_column=self.label_column or known.label_column or None,
                metric=self.metric or known.metric,
            )
        return options

    @property
    def header(self) -> tuple[str, ...] | None:
        """The columns of a known data set whose files do not name them."""
        if not self.dataset or is_tfds(self.train):
            return None
        return known_dataset(self.dataset).header or None


@dataclasses.dataclass(frozen=True)
class RowOptions:
    """How examples become rows of tokens; None leaves it to model and task."""

    sequence_length: int | None = None
    stride: int | None = None
    max_question_length: int | None = None
    max_answer_length: int | None = None

    def check(self) -> None:
        """Raises `UsageError` for what can never be right."""
        check_counts(
            sequence_length=self.sequence_length,
            stride=self.stride,
            max_question_length=self.max_question_length,
            max_answer_length=self.max_answer_length,
        )


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What is trained, and how; see `finetune`."""

    model: str | None = None
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float | None = None
    layer_decay: float = 1.0
    clip_norm: float = 1.0
    optimizer: str = "adamw"
    evaluate_every: int | None = None
    patience: int | None = None
    seed: int = 0
    seeds: int = 1
    lora_rank: int | None = None
    from_scratch: bool = False
    strategy: str = "none"

    def check(self) -> None:
        """Raises `UsageError` for what can never be right."""
        check_counts(
            epochs=self.epochs,
            batch_size=self.batch_size,
            evaluate_every=self.evaluate_every,
            patience=self.patience,
            seeds=self.seeds,
            lora_rank=self.lora_rank,
        )
        check_number("learning_rate", self.learning_rate, above=0, below=math.inf)
        check_number("layer_decay", self.layer_decay, above=0, most=1)
        check_number("clip_norm", self.clip_norm, above=0, below=math.inf)
        last = LARGEST_SEED - max(self.seeds, 1) + 1
        check_number("seed", self.seed, least=0, most=last)
        check_optimizer(self.optimizer)
        check_strategy(self.strategy)

    def check_choosing(self, has_dev: bool) -> None:
        """Raises `UsageError` where one is to be chosen by nothing.

        Args:
            has_dev: whether anything is held out.
        """
        for name, least in (("seeds", 2), ("patience", 1)):
            if (getattr(self, name) or 0) >= least and not has_dev:
                raise UsageError(
                    f"Expected --dev or --dev-share with {name}: it asks which is "
                    "better."
                )


@dataclasses.dataclass(frozen=True)
class FinetuneOptions:
    """All options of one fine-tuning."""

    data: DataOptions
    rows: RowOptions
    training: TrainingOptions
    output: OutputOptions

    @property
    def groups(self) -> tuple:
        """The four of them."""
        return self.data, self.rows, self.training, self.output

    def arguments(self) -> dict:
        """By the names of `finetune`'s parameters; those that decide the result."""
        return arguments_of(*self.groups)

    def checked(self) -> "FinetuneOptions":
        """With defaults and a data set's answers filled in; refuses what cannot work.

        Raises:
            UsageError: a value that can never be right.
            FileNotFoundError: examples or model are not there.
            FileExistsError: the output is in the way.
            ValueError: the unfinished run was of other arguments.
        """
        self.data.check()
        self.rows.check()
        self.training.check()
        if not self.output.resume:
            self.output.check({})
        model = self.training.model or DEFAULT_MODEL
        options = dataclasses.replace(
            self,
            data=self.data.filled(),
            training=dataclasses.replace(self.training, model=model),
        )
        options.training.check_choosing(options.data.has_dev)
        check_data(options.data.train)
        check_data(options.data.dev)
        check_model(model)
        longest = positions_of(model)
        length = self.rows.sequence_length
        if longest and length and length > longest:
            raise UsageError(too_long(length, longest, model))
        self.output.check(options.arguments())
        return options


def too_long(length: int, longest: int, model: str) -> str:
    """What to say of a `sequence_length` beyond a model's positions."""
    return (
        f"sequence_length must be at most {longest}, the positions of {model}; got "
        f"{length}."
    )


def positions_of(model: str) -> int | None:
    """Tokens that a model has positions for, where its config.json tells; else None."""
    if is_handle(model) or Path(model).is_file():
        return None
    try:
        text = (model_path(model) / "config.json").read_text("utf-8")
        longest = json.loads(text)["max_position_embeddings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return longest if isinstance(longest, int) else None
