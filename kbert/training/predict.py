"""Answers of a trained model, one JSON object a line."""

import sys
from collections.abc import Iterator

from kbert.checkpoints.model_directory import load, load_tokenizer
from kbert.tasks.fill_mask import fill_masks
from kbert.training.evaluate import load_answerer


def predict(
    model: str, data: str = "-", batch_size: int = 64, encoding: str | None = None
) -> Iterator[dict]:
    """Answer the texts of a file, or of standard input; one JSON object a line.

    Args:
        model: the directory of a fine-tuned model.
        data: a file with the columns of its training file, labels not needed; or - for
            standard input: one text a line, the two of a pair, or a question and its
            text, parted by a tab.
        batch_size: rows per step.
        encoding: of the file, as cp949; by default UTF-8.

    Returns: in the order of the input, and while it is read, dicts: `label`, `score`
        and `scores` of a classifier; `labels`, `scores` (several labels); `score`
        (regression); `entities` of a tagger; `answer`, `start`, `end` … of a question.
    """
    answerer = load_answerer(model, batch_size, encoding)
    task = answerer.task
    is_typed = data == "-"
    examples = _typed(task) if is_typed else task.read(data, is_labelled=False)
    yield from answerer.answers(examples)


def _typed(task):
    for number, line in enumerate(sys.stdin, 1):
        yield task.typed(line.rstrip("\r\n"), number)


def fill_mask(model: str, text: str, top_k: int = 5) -> list[dict]:
    """Fill each [MASK] of a text with the tokens a pre-trained model finds likeliest.

    Args:
        model: the directory of a pre-trained model, or a preset's name.
        text: a sentence with one [MASK] or more.
        top_k: candidates per mask.

    Returns: dicts of `mask` (counted from 1), `token`, `score` (0 to 1) and `filled`.
    """
    pretrainer = load(model)
    if not hasattr(pretrainer, "masked_lm_head"):
        raise ValueError(
            f"Expected a pre-trained model with its masked-language-model head in "
            f"{model}; it holds a {type(pretrainer).__name__}."
        )
    masks = fill_masks(pretrainer, load_tokenizer(model), text, top_k)
    return [
        {"mask": number} | candidate
        for number, candidates in enumerate(masks, 1)
        for candidate in candidates
    ]
