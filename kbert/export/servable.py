"""A model directory, loaded and checked for export, whatever it becomes."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from kbert.checkpoints.huggingface.directory import read_config
from kbert.checkpoints.load_and_save import (
    load_tokenizer,
    load_with_report,
    local_path,
)
from kbert.checkpoints.sentence_modules import modules_of
from kbert.models.backbone import backbone_of
from kbert.registry import KINDS, task_from_config
from kbert.signatures import served_name
from kbert.tasks.task import Task, check_segments


@dataclasses.dataclass(frozen=True)
class Servable:
    """What a served model is made of.

    Attributes:
        name: as it is served.
        directory: where it came from.
        model: a Keras model in float32.
        tokenizer: its tokenizer.
        task: of a fine-tuned model, else None.
        has_next_sentence: whether a pre-trained model was trained for it.
    """

    name: str
    directory: Path
    model: keras.Model
    tokenizer: Any
    task: Task | None = None
    has_next_sentence: bool = True

    @property
    def sequence_length(self) -> int:
        """Tokens of a row."""
        backbone = backbone_of(self.model)
        return self.task.sequence_length if self.task else backbone.max_sequence_length


def load_servable(model: str, name: str | None = None) -> Servable:
    """Loads a model for export.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        name: as it is served; by default that of the directory.

    Raises:
        ValueError: a name that is no plain file name, or weights that a head needs are
            missing.
    """
    path = local_path(model)
    name = served_name(name or modules_of(path)[0].resolve().name)
    keras_model, report = load_with_report(path, "float32")
    task = None
    if KINDS[report.head].task_class:
        _check_trained(report, path)
        task = task_from_config(read_config(path))
        check_segments(task.num_texts, backbone_of(keras_model).num_segments)
    is_trained = not any("next_sentence" in new for new in report.newly_initialised)
    has_next_sentence = is_trained and backbone_of(keras_model).num_segments > 1
    return Servable(
        name, path, keras_model, load_tokenizer(path), task, has_next_sentence
    )


def next_version(directory: Path) -> Path:
    """The first number above all that are there: nsmc/4 beside nsmc/1 and nsmc/3."""
    versions = [int(p.name) for p in directory.glob("[0-9]*") if p.name.isdigit()]
    return directory / str(max(versions, default=0) + 1)


def _check_trained(report, path):
    new = [part for part in report.newly_initialised if "pooler" not in part]
    if new:
        raise ValueError(
            f"Expected the trained head of a {report.head} in {path}; "
            f"{', '.join(new)} would be random. Fine-tune it first: kbert finetune."
        )
