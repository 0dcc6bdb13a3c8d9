"""The options of `kbert pretrain`, and what is refused before anything is done.

Nothing here imports a framework: a wrong option is told in a fraction of a second.
"""

import dataclasses
import math
from pathlib import Path

from kbert.commands.early_checks import (
    UsageError,
    check_choice,
    check_counts,
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
from kbert.config import SIZES
from kbert.disk.text_lines import text_files

_SHORTEST = 8  # tokens: [CLS] A [SEP] B [SEP]
_DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """What is read; see `pretrain`."""

    corpus: list[str]
    vocabulary: str
    held_out: float = 0.01
    store: str | None = None

    def check(self) -> None:
        """Raises `UsageError` for what can never be right, or says what is not there.

        Raises:
            FileNotFoundError: corpus or vocabulary.
            ValueError: a file without a text.
        """
        check_share("held_out", self.held_out)
        for file in text_files(self.corpus):
            if not file.stat().st_size:
                raise ValueError(
                    f"Expected text to pre-train on; the file {file} is empty."
                )
        check_model(self.vocabulary)


@dataclasses.dataclass(frozen=True)
class PretrainRows:
    """How sentences become rows of tokens; see `pretrain`."""

    sequence_length: int = 128

    def check(self) -> None:
        """Raises `UsageError` for what can never be right."""
        check_number("sequence_length", self.sequence_length, least=_SHORTEST)


@dataclasses.dataclass(frozen=True)
class PretrainTraining:
    """What is trained, and how; see `pretrain`."""

    size: str = "tiny"
    start_from: str | None = None
    steps: int = 10000
    batch_size: int = 64
    learning_rate: float | None = None
    warmup_share: float = 0.1
    optimizer: str = "adamw"
    dropout: float = 0.1
    evaluation_interval: int = 500
    patience: int | None = None
    seed: int = 0
    strategy: str = "none"
    dtype: str = "float32"

    def check(self) -> None:
        """Raises `UsageError` for what can never be right.

        Raises:
            FileNotFoundError: the model to start from.
        """
        check_choice("size", self.size, SIZES)
        check_counts(
            steps=self.steps,
            batch_size=self.batch_size,
            evaluation_interval=self.evaluation_interval,
            patience=self.patience,
        )
        check_number("learning_rate", self.learning_rate, above=0, below=math.inf)
        check_number("warmup_share", self.warmup_share, least=0, most=1)
        check_share("dropout", self.dropout)
        check_number("seed", self.seed, least=0, most=LARGEST_SEED)
        check_optimizer(self.optimizer)
        check_strategy(self.strategy)
        check_choice("dtype", self.dtype, _DTYPES)


@dataclasses.dataclass(frozen=True)
class PretrainOptions:
    """All options of one pre-training."""

    corpus: CorpusOptions
    rows: PretrainRows
    training: PretrainTraining
    output: OutputOptions

    @property
    def groups(self) -> tuple:
        """The four of them."""
        return self.corpus, self.rows, self.training, self.output

    def arguments(self) -> dict:
        """By the names of `pretrain`'s parameters; those that decide the result."""
        return arguments_of(*self.groups)

    @property
    def store(self) -> Path:
        """Where the tokenized corpus lies."""
        output = self.output.output
        return Path(self.corpus.store or f"{Path(output)}-store")

    def check(self) -> None:
        """Refuses what cannot work.

        Raises:
            UsageError: a value that can never be right.
            FileNotFoundError: a file or a model is not there.
            FileExistsError: the output is in the way.
            ValueError: the unfinished run was of other arguments.
        """
        self.rows.check()
        self.training.check()
        if self.training.patience and not self.corpus.held_out:
            raise UsageError(
                "Expected --held-out above 0 with patience: it asks which is better."
            )
        self.output.check(self.arguments())
        self.corpus.check()
        check_model(self.training.start_from)
