"""A model directory as a SavedModel: strings in, answers out, nothing else needed."""

import json
import re
import tempfile
from pathlib import Path

import tensorflow as tf

from kbert.checkpoints.atomic import write_directory
from kbert.checkpoints.huggingface import read_config
from kbert.checkpoints.model_directory import (
    load_tokenizer,
    load_with_report,
    local_path,
)
from kbert.serving.model_card import FILE_NAME, model_card
from kbert.serving.served_model import ServedModel
from kbert.tasks.catalogue import task_from_config

_NEEDS_TASK = ("text_classifier", "token_classifier", "question_answerer")


def export_saved_model(
    model: str,
    output: str = "saved_models",
    name: str | None = None,
    pooling: str = "mean",
    normalize: bool = False,
) -> Path:
    """Export a model as a SavedModel that takes strings.

    It is written to OUTPUT/NAME/VERSION, the layout that TensorFlow Serving watches:
    aside first and renamed when whole, under the next free version number.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all served models.
        name: of this one; by default that of the model's directory.
        pooling: of `embed`: mean of a text's tokens, or cls.
        normalize: scale the vectors of `embed` to the length 1.

    Raises:
        ValueError: a name that is no plain file name, or weights that a head needs are
            missing.

    Returns: the version's directory.
    """
    path = local_path(model)
    name = served_name(name or path.resolve().name)
    keras_model, report = load_with_report(path, "float32")
    task = None
    if report.head in _NEEDS_TASK:
        _check_trained(report, path)
        task = task_from_config(read_config(path))
    served = ServedModel(
        keras_model,
        load_tokenizer(path),
        task,
        not any("next_sentence" in new for new in report.newly_initialised),
        pooling,
        normalize,
    )
    card = model_card(
        name, keras_model, task, served.declared, served.sequence_length, path
    )
    version = _next_version(Path(output) / name)
    with write_directory(version) as aside, tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / FILE_NAME
        file.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", "utf-8")
        served.model_card = tf.saved_model.Asset(str(file))
        tf.saved_model.save(served, str(aside), signatures=served.functions())
    return version


def served_name(name: str) -> str:
    """The name, which becomes a directory and a part of addresses.

    Raises:
        ValueError: other characters than letters, digits, "_", "-" and ".", or a dot
            at the start.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            "Expected a name of letters, digits, _, - and . that starts with none of "
            f"the last two; got {name!r}. Choose one with --name."
        )
    return name


def _check_trained(report, path):
    new = [part for part in report.newly_initialised if "pooler" not in part]
    if new:
        raise ValueError(
            f"Expected the trained head of a {report.head} in {path}; "
            f"{', '.join(new)} would be random. Fine-tune it first: kbert finetune."
        )


def _next_version(served):
    versions = [int(p.name) for p in served.glob("[0-9]*") if p.name.isdigit()]
    return served / str(max(versions, default=0) + 1)
