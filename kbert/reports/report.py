"""`report.html`: what a model got right and wrong, in one file that opens anywhere."""

import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from kbert.reports.charts import line_chart
from kbert.reports.parts import fact, joined, score, section, tag, words
from kbert.reports.sections import (
    multi_label_sections,
    regression_sections,
    single_label_sections,
)
from kbert.reports.spans import answer_sections, tag_sections
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.questions.question_answering import QuestionAnswering
from kbert.tasks.tagging.token_classification import TokenClassification

_PAGE = Path(__file__).with_name("report.html")
_TEXT_KINDS = {
    "single_label_classification": ("Text classification", single_label_sections),
    "multi_label_classification": ("Multi-label classification", multi_label_sections),
    "regression": ("Regression", regression_sections),
}


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
        task: a `TextClassification`, `TokenClassification` or `QuestionAnswering`.
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
    name, sections = _kind(task)
    facts = dict(facts or {})
    body = [
        _head(name, facts),
        _cards(scores, task.metric, len(examples)),
        _curves(history or (), task.metric),
        *sections(task, examples, answers, num_errors),
        _facts(facts),
    ]
    title = " · ".join([name, *_about(facts).values()])
    page = string.Template(_PAGE.read_text("utf-8")).substitute(
        title=joined([title]), body="\n".join(piece for piece in body if piece)
    )
    return _write(Path(path), page)


def _kind(task):
    """The task's name in words, and what shows its examples."""
    if isinstance(task, TextClassification):
        return _TEXT_KINDS[task.problem_type]
    if isinstance(task, TokenClassification):
        return "Tagging", tag_sections
    if isinstance(task, QuestionAnswering):
        return "Question answering", answer_sections
    raise ValueError(
        "Expected a TextClassification, TokenClassification or QuestionAnswering task; "
        f"got a {type(task).__name__}."
    )


def _about(facts):
    """What the title says beside the task: model and data by their last names.

    {"model": "runs/nsmc", "data": {"dev": {"source": "nsmc/test.tsv", …}, …}} ->
        model nsmc, data test.tsv
    """
    model = facts.get("model") or facts.get("arguments", {}).get("output")
    data = facts.get("data")
    if isinstance(data, Mapping):
        data = data.get("dev", data).get("source")
    found = {"model": model, "data": data}
    return {key: Path(str(value)).name for key, value in found.items() if value}


def _head(name, facts):
    parts = []
    for key, value in _about(facts).items():
        parts += [" · " if parts else "", f"{key} ", tag("b", value)]
    about = tag("p", *parts, class_="about") if parts else ""
    return tag("header", tag("h1", name), about)


def _cards(scores, metric, num_examples):
    """Scores side by side, the one that the training chose by first."""
    names = sorted(scores, key=lambda name: name != metric)  # stable
    cards = [
        tag(
            "div",
            tag("dt", words(name)),
            tag("dd", score(name, scores[name])),
            class_="main" if name == metric else None,
        )
        for name in names
        if name != "num_examples"
    ]
    cards.append(tag("div", tag("dt", "examples"), tag("dd", f"{num_examples:,}")))
    return tag("dl", *cards, class_="cards")


def _curves(history, metric):
    """The loss and the metric over the steps; without a history, nothing."""
    name = f"dev_{metric}"
    losses = [(row["step"], row["loss"]) for row in history if "loss" in row]
    held_out = [(row["step"], row[name]) for row in history if name in row]
    charts = [line_chart(losses, "step", "Training loss")]
    if held_out:
        step, best = max(held_out, key=lambda point: point[1])
        caption = (
            f"Held-out {words(metric)}: best {score(metric, best)} at step {step:,}"
        )
        charts.append(line_chart(held_out, "step", caption, mark_highest=True))
    if not any(charts):
        return ""
    return section("Training", tag("div", *charts, class_="charts"))


def _facts(facts):
    """A table of what is known, and the command in a block that one click selects."""
    if not facts:
        return ""
    rows = [
        tag("tr", tag("th", words(key), scope="row"), tag("td", fact(value)))
        for key, value in facts.items()
        if key != "command"
    ]
    pieces = [tag("table", tag("tbody", *rows), class_="facts")] if rows else []
    if "command" in facts:
        pieces.append(tag("pre", tag("code", str(facts["command"]))))
    return section("How this was made", *pieces)


def _write(path, page):
    aside = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        # Text out of JSON may hold half a surrogate pair: UTF-8 has no bytes for it.
        aside.write_text(page, encoding="utf-8", errors="replace")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path
