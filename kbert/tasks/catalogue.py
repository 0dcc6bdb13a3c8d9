"""The tasks by the names that the command line and `config.json` know them by."""

import dataclasses

from kbert.tasks.question_answering import QuestionAnswering
from kbert.tasks.task import Task
from kbert.tasks.text_classification import TextClassification
from kbert.tasks.token_classification import TokenClassification

# On the command line: the class, and what it is to be made with.
TASKS = {
    "classification": (
        TextClassification,
        {"problem_type": "single_label_classification"},
    ),
    "multi-label": (TextClassification, {"problem_type": "multi_label_classification"}),
    "regression": (TextClassification, {"problem_type": "regression"}),
    "tagging": (TokenClassification, {}),
    "question-answering": (QuestionAnswering, {}),
}
_BY_NAME_IN_CONFIG = {
    "text_classification": TextClassification,
    "token_classification": TokenClassification,
    "question_answering": QuestionAnswering,
}
_BY_ARCHITECTURE = {
    "BertForSequenceClassification": TextClassification,
    "BertForTokenClassification": TokenClassification,
    "BertForQuestionAnswering": QuestionAnswering,
}


def new_task(name: str, **options) -> Task:
    """A task that has not seen its examples yet.

    Args:
        name: one of `TASKS`.
        **options: fields of the task's class; None leaves the default.

    Raises:
        ValueError: an unknown name, or an option that the task does not have.
    """
    if name not in TASKS:
        raise ValueError(f"Expected a task out of {', '.join(TASKS)}; got {name!r}.")
    task_class, fixed = TASKS[name]
    given = {key: value for key, value in options.items() if value is not None}
    fields = {field.name for field in dataclasses.fields(task_class)}
    strange = [key for key in given if key not in fields]
    if strange:
        flags = ", ".join("--" + key.replace("_", "-") for key in strange)
        raise ValueError(f"Expected no {flags} for {name}: it has no meaning there.")
    return task_class(**given, **fixed)


def task_from_config(config: dict, **options) -> Task:
    """The task of a fine-tuned model, from its `config.json`.

    Args:
        config: its content, by kbert or by transformers.
        **options: fields that rule over it, as `encoding`; None leaves them.

    Raises:
        ValueError: the model has no head of these tasks.
    """
    own = config.get("kbert", {}).get("task")
    architecture = (config.get("architectures") or ["BertModel"])[0]
    task_class = _BY_NAME_IN_CONFIG.get(own) or _BY_ARCHITECTURE.get(architecture)
    if task_class is None:
        raise ValueError(
            "Expected the directory of a fine-tuned model (text classifier, tagger or "
            f"question answerer); this one holds a {architecture}. Make one with "
            "kbert finetune."
        )
    given = {key: value for key, value in options.items() if value is not None}
    return dataclasses.replace(task_class.from_config(config), **given)
