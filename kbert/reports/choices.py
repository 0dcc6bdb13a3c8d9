"""What the report shows of models that choose one of several texts."""

from collections import Counter

from kbert.reports.excerpts import Piece
from kbert.reports.sections import Example, Side, Table, errors
from kbert.reports.wording import cut, number, percent

TITLE = "Multiple choice"

_LONGEST = 600  # characters of a text


def sections(task, examples: list, answers: list, num_errors: int) -> list:
    """How often each place is right and is chosen, and the errors made most surely."""
    wrong = [i for i, e in enumerate(examples) if answers[i]["index"] != e.label]
    wrong.sort(key=lambda i: -answers[i]["score"])
    shown = [
        Example(_sides(examples[i], answers[i]), texts=_texts(examples[i]))
        for i in wrong[:num_errors]
    ]
    return [
        _places(examples, answers),
        errors(len(wrong), len(examples), "surest first", shown),
    ]


def _places(examples, answers):
    """A model that prefers a place, whatever stands there, is seen by it."""
    gold = Counter(example.label for example in examples)
    chosen = Counter(answer["index"] for answer in answers)
    rows = [
        (number(place + 1), number(gold[place]), number(chosen[place]))
        for place in sorted(gold | chosen)
    ]
    header = ("place", "right", "chosen")
    note = "How often each place holds the right choice, and how often it is chosen."
    return Table("Places", header, rows, note, num_texts=1)


def _sides(example, answer):
    """The right choice and the one that was made, with their probabilities."""
    right, chosen = (
        cut(example.choices[place], _LONGEST)
        for place in (example.label, answer["index"])
    )
    return (
        Side("gold", "right", right, percent(answer["scores"][example.label])),
        Side("wrong", "chosen", chosen, percent(answer["score"])),
    )


def _texts(example):
    """The question and its choices, a text each."""
    return [[Piece(cut(x, _LONGEST))] for x in (example.question, *example.choices)]
