"""What the report shows of taggers and of question answerers: spans within texts."""

import re
from collections import Counter

from kbert.reports.parts import (
    Html,
    cut,
    joined,
    marked_text,
    number,
    percent,
    section,
    table,
    tag,
    words,
)
from kbert.reports.sections import (
    error_item,
    errors_section,
    figures_section,
    side,
)
from kbert.tasks.questions.question_answering import METRICS
from kbert.tasks.tagging.tagged_text import in_units

_AROUND = 100  # characters to either side of a span in a long text
_WHOLE = 400  # characters of a text that is shown from end to end
_ANSWERS = 4  # accepted answers shown of a question
_LONGEST_ANSWER = 200  # characters


def tag_sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Figures of each type or tag, and the texts with most wrong ones.

    Of entities all are marked; of plain tags (parts of speech), which every unit has,
    the wrong ones.
    """
    pairs = [
        _spans(task, example, answer)
        for example, answer in zip(examples, answers, strict=True)
    ]
    wrong = [i for i, (gold, predicted) in enumerate(pairs) if gold != predicted]
    wrong.sort(key=lambda i: -len(pairs[i][0] ^ pairs[i][1]))
    items = [
        _tagged_item(examples[i].text, *pairs[i], task.tags_entities)
        for i in wrong[:num_errors]
    ]
    title, name = ("Entity types", "type") if task.tags_entities else ("Tags", "tag")
    sets = [(gold & predicted, predicted, gold) for gold, predicted in pairs]
    right, predicted, gold = (
        Counter(span[2] for spans in column for span in spans)
        for column in zip(*sets, strict=True)
    )
    types = sorted(predicted.keys() | gold.keys())
    figures = [(right[kind], predicted[kind], gold[kind]) for kind in types]
    marks = [("gold", "missed: gold, not predicted")]
    marks.append(("wrong", "wrong: predicted, not gold"))
    if task.tags_entities:
        marks.insert(0, ("right", "found"))
    return [
        figures_section(title, name, types, figures),
        errors_section(
            len(wrong),
            len(examples),
            "those with most wrong first",
            items,
            _legend(*marks),
        ),
    ]


def answer_sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Scores by kind of question, and the questions answered worst.

    Errors are predictions that match no accepted answer exactly; least F1 first, and of
    equals those with the higher score.
    """
    # KorQuAD's rules or SQuAD's, whichever the task's own metric follows.
    names = [re.sub("exact_match|f1", x, task.metric) for x in ("exact_match", "f1")]
    scores = []
    for example, answer in zip(examples, answers, strict=True):
        accepted = [text for text, _ in example.answers]
        scores.append([METRICS[name](answer["answer"], accepted) for name in names])
    wrong = [i for i, (is_exact, _) in enumerate(scores) if not is_exact]
    wrong.sort(key=lambda i: (scores[i][1], -answers[i]["score"]))
    items = [
        _question_item(examples[i], answers[i], names[1], scores[i][1])
        for i in wrong[:num_errors]
    ]
    legend = _legend(("gold", "accepted answer"), ("wrong", "predicted answer"))
    return [
        _kinds_section(examples, scores, names),
        errors_section(
            len(wrong), len(examples), "lowest F1 first, then surest", items, legend
        ),
    ]


def _spans(task, example, answer):
    """Gold and predicted (start, limit, type) in characters, a set of each."""
    if task.tags_entities:
        return tuple(
            {(e["start"], e["end"], e["type"]) for e in entities}
            for entities in (task.gold_entities(example), answer["entities"])
        )
    example = in_units(example, task.granularity)
    return tuple(
        {(*unit, kind) for unit, kind in zip(example.units, tags, strict=True)}
        for tags in (example.tags, answer["tags"])
    )


def _tagged_item(text, gold, predicted, marks_right):
    """The text twice, with the gold and with the predicted types."""
    right = gold & predicted
    missed, extra = len(gold - right), len(predicted - right)
    sides = [side("gold", f"{missed} missed")] * bool(missed)
    sides += [side("wrong", f"{extra} wrong")] * bool(extra)
    wrong = gold ^ predicted  # both lines are cut around these, so as to compare them
    focus = [span[:2] for span in wrong]
    lines = []
    for name, kind, spans in (
        ("gold", "gold", gold),
        ("predicted", "wrong", predicted),
    ):
        shown = spans if marks_right else spans - right
        marks = [
            (start, limit, "right" if (start, limit, label) in right else kind, label)
            for start, limit, label in sorted(shown)
        ]
        content = marked_text(text, marks, focus, _AROUND, _WHOLE)
        lines.append(tag("div", tag("span", name), _text(content), class_="line-of"))
    return error_item(sides, *lines)


def _question_item(example, answer, name, f1):
    """The question, its answers, and where they stand in the context."""
    accepted = list(dict.fromkeys(text for text, _ in example.answers))[:_ANSWERS]
    sides = [
        *(side("gold", "gold", text) for text in accepted or ["no answer"]),
        side(
            "wrong", "predicted", cut(answer["answer"], _LONGEST_ANSWER) or "no answer"
        ),
        side("", words(name), percent(f1)),
    ]
    spans = [(s, s + len(text), "gold", "") for text, s in set(example.answers)]
    if answer["answer"]:
        spans.append((answer["start"], answer["end"], "wrong", ""))
    seen = [span[:2] for span in spans]
    return error_item(
        sides,
        tag("p", example.title, class_="title") if example.title else "",
        tag("p", example.question, class_="question", dir="auto", lang=""),
        _text(marked_text(example.context, spans, seen, _AROUND, _WHOLE)),
    )


def _kinds_section(examples, scores, names):
    """Questions with and without an answer; if there is one kind, nothing."""
    rows = []
    for name, has_answer in (("has an answer", True), ("has no answer", False)):
        found = [
            pair
            for example, pair in zip(examples, scores)
            if bool(example.answers) == has_answer
        ]
        if found:
            means = [sum(column) / len(found) for column in zip(*found)]
            rows.append((name, *map(percent, means), number(len(found))))
    if len(rows) < 2:
        return Html()
    header = ("kind", *map(words, names), "questions")
    return section("Kinds of question", table(header, rows))


def _text(content):
    return tag("p", content, class_="text", dir="auto", lang="")


def _legend(*kinds):
    """What the marks mean, beside a mark of each kind."""
    shown = [
        tag("span", tag("mark", "abc", class_=kind), f" {meaning}")
        for kind, meaning in kinds
    ]
    return tag("p", joined(shown), class_="legend")
