"""Answers of a trained model, one JSON object a line."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from kbert.checkpoints.local_path import local_path
from kbert.commands.early_checks import (
    UsageError,
    check_counts,
    check_data,
    check_encoding,
    check_model,
    check_run_output,
)
from kbert.commands.fine_tuned import fine_tuned_path
from kbert.disk.answer_file import AnswerFile
from kbert.disk.provenance import data_facts, directory_facts, versions
from kbert.registry import kind_of


def predict(
    model: str,
    data: str = "-",
    output: str | None = None,
    token_budget: int = 8192,
    encoding: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[dict] | Path:
    """Answer the texts of a file, or of standard input; one JSON object a line.

    Texts are read some thousands at a time, put together by length and answered; the
    answers come in the order of the input. With --output, the whole file is read
    through first, so that a row that does not fit is found before the work and not
    after hours of it; what was stopped goes on with --resume.

    Args:
        model: the directory of a fine-tuned model.
        data: a file with the columns of its training file, labels not needed; or - for
            standard input: one text a line, the two of a pair, or a question and its
            text, parted by a tab.
        output: a file for the answers, as answers.jsonl. Until all are there it is
            OUTPUT.unfinished. By default they are printed.
        token_budget: tokens computed at once, filling counted.
        encoding: of the data, as cp949; by default UTF-8.
        resume: go on with what was stopped, to the file it would have written; it takes
            --output.
        overwrite: replace an output that exists.

    Returns: in the order of the input, and while it is read, dicts: `label`, `score`
        and `scores` of a classifier; `labels`, `scores` (several labels); `score`
        (regression); `entities` of a tagger; `answer`, `start`, `end` … of a question.
        With `output`, its path.

    Raises:
        FileExistsError: the output exists, or was begun, and neither `resume` nor
            `overwrite` is given.
        ValueError: a row that does not fit, a model that was not fine-tuned, or an
            unfinished output of another model, other data or another budget.
    """
    _check_data(data)
    if output is None and (resume or overwrite):
        raise UsageError("Expected --output FILE with --resume and --overwrite.")
    check_counts(token_budget=token_budget)
    check_encoding(encoding)
    check_model(model)
    check_run_output(output, resume, overwrite, kind="file")
    path = fine_tuned_path(model)
    from kbert.commands.answering import load_answerer, load_task
    from kbert.tasks.answerer import portions

    if output is None:
        answerer = load_answerer(path, token_budget, encoding)
        return _printed(answerer, _examples(answerer.task, data))
    task = load_task(path, encoding)
    count = None if data == "-" else _count(task, data)
    facts = {
        "arguments": {"data": data, "token_budget": token_budget},
        "data": data_facts(data, count),
        "model": directory_facts(path),
        "versions": versions(),
    }
    with (
        AnswerFile(output, facts, resume, overwrite) as file,
        tqdm(total=count, unit=" examples", disable=None) as bar,
    ):
        answerer = load_answerer(path, token_budget, encoding)
        for portion in portions(_examples(task, data), task):
            if file.has(len(portion)):
                bar.update(len(portion))
            else:
                file.write(answerer.answer(portion, bar))
    return Path(output)


def _check_data(data):
    if not isinstance(data, str | os.PathLike):
        raise UsageError(
            "Expected the path of a file, or - for standard input; got a "
            f"{type(data).__name__}. For texts in Python, call "
            "kbert.load_answerer(model)(texts)."
        )
    try:
        check_data(data if data != "-" else None)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} To answer a text itself, send it to standard input, or call "
            "kbert.load_answerer(model)([text]) in Python."
        ) from None


def _printed(answerer, examples):
    # A bar and answers would write over each other on one screen.
    hidden = True if sys.stdout.isatty() else None
    with tqdm(unit=" examples", disable=hidden) as bar:
        yield from answerer.answers(examples, bar)


def _examples(task, data):
    if data == "-":
        for number, line in enumerate(sys.stdin, 1):
            yield task.typed(line.rstrip("\r\n"), number)
    else:
        yield from task.read(data, is_labelled=False)


def _count(task, data):
    examples = tqdm(
        task.read(data, is_labelled=False),
        "Reading",
        unit=" examples",
        disable=None,
        leave=False,
    )
    return sum(1 for _ in examples)


def fill_mask(model: str, text: str, top_k: int = 5) -> list[dict]:
    """Fill each [MASK] of a text with the tokens a pre-trained model finds likeliest.

    Args:
        model: the directory of a pre-trained model, or a preset's name.
        text: a sentence with one [MASK] or more.
        top_k: candidates per mask.

    Returns: dicts of `mask` (counted from 1), `token`, `score` (0 to 1) and `filled`.
    """
    check_model(model)
    check_counts(top_k=top_k)
    path = local_path(model)
    from kbert.checkpoints.load_and_save import load, load_tokenizer
    from kbert.tasks.fill_mask import fill_masks

    pretrainer = load(path)
    if kind_of(pretrainer).head != "pretrainer":
        raise ValueError(
            f"Expected a pre-trained model with its masked-language-model head in "
            f"{model}; it holds a {type(pretrainer).__name__}."
        )
    masks = fill_masks(pretrainer, load_tokenizer(path), text, top_k)
    return [
        {"mask": number} | candidate
        for number, candidates in enumerate(masks, 1)
        for candidate in candidates
    ]
