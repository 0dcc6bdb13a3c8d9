"""The tasks by the names that the command line and `config.json` know them by."""

import dataclasses
import importlib

_CLASSIFICATION = "kbert.tasks.classification.text_classification:TextClassification"
_TAGGING = "kbert.tasks.tagging.token_classification:TokenClassification"
_QUESTIONS = "kbert.tasks.questions.question_answering:QuestionAnswering"

# On the command line: the class, and what it is to be made with.
TASKS = {
    "classification": (
        _CLASSIFICATION,
        {"problem_type": "single_label_classification"},
    ),
    "multi-label": (_CLASSIFICATION, {"problem_type": "multi_label_classification"}),
    "regression": (_CLASSIFICATION, {"problem_type": "regression"}),
    "tagging": (_TAGGING, {}),
    "question-answering": (_QUESTIONS, {}),
}
_BY_NAME_IN_CONFIG = {
    "text_classification": _CLASSIFICATION,
    "token_classification": _TAGGING,
    "question_answering": _QUESTIONS,
}
_BY_ARCHITECTURE = {
    "BertForSequenceClassification": _CLASSIFICATION,
    "BertForTokenClassification": _TAGGING,
    "BertForQuestionAnswering": _QUESTIONS,
}


def _loaded(place):
    """`package.module:Name` -> what it names; a table of kinds imports none of them."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def new_task(name: str, **options):
    """A task that has not seen its examples yet.

    Args:
        name: one of `TASKS`.
        **options: fields of the task's class; None leaves the default.

    Raises:
        ValueError: an unknown name, or an option that the task does not have.
    """
    if name not in TASKS:
        raise ValueError(f"Expected a task out of {', '.join(TASKS)}; got {name!r}.")
    place, fixed = TASKS[name]
    task_class = _loaded(place)
    given = {key: value for key, value in options.items() if value is not None}
    fields = {field.name for field in dataclasses.fields(task_class)}
    strange = [key for key in given if key not in fields]
    if strange:
        flags = ", ".join("--" + key.replace("_", "-") for key in strange)
        raise ValueError(f"Expected no {flags} for {name}: it has no meaning there.")
    return task_class(**given, **fixed)


def task_from_config(config: dict, **options):
    """The task of a fine-tuned model, from its `config.json`.

    Args:
        config: its content, by kbert or by transformers.
        **options: fields that rule over it, as `encoding`; None leaves them.

    Raises:
        ValueError: the model has no head of these tasks.
    """
    own = config.get("kbert", {}).get("task")
    architecture = (config.get("architectures") or ["BertModel"])[0]
    place = _BY_NAME_IN_CONFIG.get(own) or _BY_ARCHITECTURE.get(architecture)
    if place is None:
        raise ValueError(
            "Expected the directory of a fine-tuned model (text classifier, tagger or "
            f"question answerer); this one holds a {architecture}. Make one with "
            "kbert finetune."
        )
    given = {key: value for key, value in options.items() if value is not None}
    return dataclasses.replace(_loaded(place).from_config(config), **given)
