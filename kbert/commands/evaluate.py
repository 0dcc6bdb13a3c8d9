"""Scores of a fine-tuned model, and the directory that tells what is behind them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kbert.checkpoints.hubs import hub_name
from kbert.commands.early_checks import (
    check_counts,
    check_data,
    check_encoding,
    check_model,
    check_output,
)
from kbert.commands.fine_tuned import fine_tuned_path
from kbert.disk.provenance import command_of, data_facts, versions
from kbert.disk.whole_directories import write_directory

if TYPE_CHECKING:
    from kbert.tasks.task import Task


def evaluate(
    model: str,
    data: str,
    output: str | None = None,
    token_budget: int = 8192,
    encoding: str | None = None,
) -> dict[str, float]:
    """Score a fine-tuned model on a labelled file, and write a report.

    Args:
        model: the directory of a fine-tuned model.
        data: labelled examples as in its training file; or tfds:NAME[:SPLIT].
        output: the directory for report.html, scores.json and the predictions; by
            default evaluations/NAME-OF-THE-FILE in the model's directory, or for a
            hub's model in one of its name here. What an earlier evaluation left there
            is replaced.
        token_budget: tokens computed at once, filling counted.
        encoding: of the file, as cp949; by default UTF-8.

    Returns: the scores of the task (0 to 1 unless their name says otherwise) and
        `num_examples`.
    """
    check_counts(token_budget=token_budget)
    check_encoding(encoding)
    check_model(model)
    check_data(data)
    check_output(output, overwrite=True)
    path = fine_tuned_path(model)
    from tqdm import tqdm

    from kbert.commands.answering import load_answerer
    from kbert.tasks.task import scored

    answerer = load_answerer(path, token_budget, encoding)
    task = answerer.task
    examples = list(task.read(data))
    with tqdm(total=len(examples), unit=" examples", disable=None, leave=False) as bar:
        answers = list(answerer.answers(examples, bar))
    scores = scored(task, answers, examples)
    own = Path(name) if (name := hub_name(model)) else path  # not in a hub's cache
    directory = Path(output) if output else own / "evaluations" / _stem(data)
    facts = {
        "data": data_facts(data, len(examples)),
        "model": str(model),
        "versions": versions(),
        "command": command_of(
            "evaluate",
            {
                "model": model,
                "data": data,
                "output": output,
                "encoding": encoding,
            },
            ("model", "data"),
        ),
    }
    with write_directory(directory, overwrite=True) as aside:
        write_evaluation(aside, task, examples, answers, scores, facts)
    print(f"Report: {directory / 'report.html'}", file=sys.stderr)
    return scores


def write_evaluation(
    directory: Path,
    task: "Task",
    examples: list,
    answers: list[dict],
    scores: dict[str, float],
    facts: dict,
    history: list[dict] | None = None,
) -> None:
    """Writes scores, predictions and report into a directory that is there.

    scores.json; report.html; predictions.jsonl, or, for question answering, the
    predictions.json and nbest_predictions.json that the official scripts read.
    """
    from kbert.reports.report import write_report

    text = json.dumps({"scores": scores, **facts}, ensure_ascii=False, indent=2)
    (directory / "scores.json").write_text(text + "\n", "utf-8")
    for name, content in task.files(answers).items():
        (directory / name).write_text(content, "utf-8")
    write_report(
        directory / "report.html", task, examples, answers, scores, history, facts
    )


def _stem(source):
    """A directory's name for a source.

    >>> _stem("data/dev.tsv")
    'dev'
    """
    name = Path(source).name if ":" not in source else source
    stem = name.split(".")[0] if ":" not in source else name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem) or "data"
