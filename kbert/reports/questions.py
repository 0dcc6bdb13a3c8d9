"""What the report shows of question answerers: answers marked within contexts."""

import re

from kbert.reports.excerpts import marked_text
from kbert.reports.sections import Example, Side, Table, errors
from kbert.reports.wording import cut, number, percent, words
from kbert.tasks.questions.question_answering import METRICS

TITLE = "Question answering"

_AROUND = 100  # characters to either side of an answer in a long context
_WHOLE = 400  # characters of a context that is shown from end to end
_ANSWERS = 4  # accepted answers shown of a question
_LONGEST_ANSWER = 200  # characters
_LEGEND = (("gold", "accepted answer"), ("wrong", "predicted answer"))


def sections(task, examples: list, answers: list, num_errors: int) -> list:
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
    shown = [
        _example(examples[i], answers[i], names[1], scores[i][1])
        for i in wrong[:num_errors]
    ]
    order = "lowest F1 first, then surest"
    return [
        *_kinds(examples, scores, names),
        errors(len(wrong), len(examples), order, shown, _LEGEND),
    ]


def _kinds(examples, scores, names):
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
        return []
    header = ("kind", *map(words, names), "questions")
    return [Table("Kinds of question", header, rows)]


def _example(example, answer, name, f1):
    """The question, its answers, and where they stand in the context."""
    accepted = list(dict.fromkeys(text for text, _ in example.answers))[:_ANSWERS]
    predicted = cut(answer["answer"], _LONGEST_ANSWER) or "no answer"
    sides = [
        *(Side("gold", "gold", text) for text in accepted or ["no answer"]),
        Side("wrong", "predicted", predicted),
        Side("", words(name), percent(f1)),
    ]
    spans = [(s, s + len(text), "gold", "") for text, s in set(example.answers)]
    if answer["answer"]:
        spans.append((answer["start"], answer["end"], "wrong", ""))
    seen = [span[:2] for span in spans]
    context = marked_text(example.context, spans, seen, _AROUND, _WHOLE)
    return Example(sides, example.title or "", example.question, texts=[context])
