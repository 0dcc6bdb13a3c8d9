"""A fine-tuned model, ready to answer, from its directory."""

from kbert.checkpoints.huggingface.directory import read_config
from kbert.checkpoints.load_and_save import load, load_tokenizer, local_path
from kbert.registry import task_from_config
from kbert.tasks.answerer import TOKEN_BUDGET, Answerer
from kbert.tasks.task import Task


def load_answerer(
    model: str, token_budget: int = TOKEN_BUDGET, encoding: str | None = None
) -> Answerer:
    """A fine-tuned model that answers in one line.

        kbert.load_answerer("my-classifier")(["정말 재미있다"])
            -> [{"label": "1", "score": 0.98, "scores": {"0": 0.02, "1": 0.98}}]

    Loading takes seconds and the first call a second more, in which the model is
    traced; keep what this returns and call it again.

    Args:
        model: the directory of a fine-tuned model, or its handle on a hub.
        token_budget: tokens computed at once, padding included.
        encoding: of the files that `answers` may be given examples of.

    Returns: an `Answerer`: a list of texts in, a list of dicts out. Texts are strings,
        or tuples of them where an answer is made from several: a pair of texts, a
        question and its context. The fields of the answers are those of
        `kbert predict`.

    Raises:
        FileNotFoundError: no such model.
        ValueError: it was not fine-tuned; `kbert.fill_mask` asks a pre-trained one, and
            `kbert.extract_features` gives vectors of any.
    """
    path = local_path(model)  # a handle is resolved once
    task = load_task(path, encoding)
    return Answerer(load(path), task, load_tokenizer(path), token_budget)


def load_task(model: str, encoding: str | None = None) -> Task:
    """What a fine-tuned model was trained for, from its directory.

    Raises:
        ValueError: the directory holds a model without one of the tasks' heads.
    """
    return task_from_config(read_config(local_path(model)), encoding=encoding)
