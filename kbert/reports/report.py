"""`report.html`: what a model got right and wrong, in one file that opens anywhere."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from kbert.registry import kind_of_task
from kbert.reports.charts import line_chart
from kbert.reports.page import write_page
from kbert.reports.sections import Card, Charts
from kbert.reports.wording import score, words


def write_report(
    path: str | Path,
    task,
    examples: Sequence,
    answers: Sequence[dict],
    scores: Mapping[str, float],
    history: Sequence[Mapping[str, float]] | None = None,
    facts: Mapping | None = None,
    num_errors: int = 50,
) -> Path:
    """Writes one HTML file without scripts and without anything from the network.

    It is written aside and renamed: a reader sees the old page or the new one.

    Args:
        path: the file to write.
        task: one of the tasks of `kbert.registry`.
        examples: labelled, as `task.read` gave them.
        answers: one for each example, as `task.decode` gave them.
        scores: of `task.score`; what lies between 0 and 1 is shown as percent, except
            correlations, errors, losses and thresholds.
        history: for each step at which something was measured, "step", and "loss" or
            "dev_" with the task's metric or both; drawn as curves.
        facts: whatever helps to repeat it, shown as a table: "model" and "data" as
            `kbert evaluate` has them, or "arguments" and "data" of a training, are in
            the title, too; "command" is in a block to copy.
        num_errors: examples to show, the worst first.

    Raises:
        ValueError: not as many answers as examples, no example, or an unknown task.
    """
    examples, answers = list(examples), list(answers)
    if len(examples) != len(answers) or not examples:
        raise ValueError(
            "Expected examples and one answer for each; got "
            f"{len(examples)} examples and {len(answers)} answers."
        )
    kind = _kind(task)
    return write_page(
        path,
        kind.TITLE,
        dict(facts or {}),
        _cards(scores, task.metric, len(examples)),
        [
            *_training(history or (), task.metric),
            *kind.sections(task, examples, answers, num_errors),
        ],
    )


def _kind(task):
    """The module that shows a task's examples: its TITLE and its `sections`."""
    modules = kind_of_task(task).reports
    return importlib.import_module(modules[getattr(task, "problem_type", "")])


def _cards(scores, metric, num_examples):
    """Scores side by side, the one that the training chose by first."""
    names = sorted(scores, key=lambda name: name != metric)  # stable
    cards = [
        Card(words(name), score(name, scores[name]), is_main=name == metric)
        for name in names
        if name != "num_examples"
    ]
    return [*cards, Card("examples", f"{num_examples:,}")]


def _training(history, metric):
    """The loss and the metric over the steps; without a history, nothing."""
    name = f"dev_{metric}"
    losses = [(row["step"], row["loss"]) for row in history if "loss" in row]
    held_out = [(row["step"], row[name]) for row in history if name in row]
    charts = [line_chart({"training": losses}, "step", "Training loss")]
    if held_out:
        step, best = max(held_out, key=lambda point: point[1])
        caption = (
            f"Held-out {words(metric)}: best {score(metric, best)} at step {step:,}"
        )
        charts.append(line_chart({"held-out": held_out}, "step", caption, (step, best)))
    charts = [chart for chart in charts if chart]
    return [Charts("Training", charts)] if charts else []
