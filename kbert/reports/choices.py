"""What the report shows of models that choose one of several texts."""

from collections import Counter

from kbert.reports.excerpts import Piece
from kbert.reports.sections import Example, Side, Table, errors
from kbert.reports.wording import cut, number, percent

TITLE = "Multiple choice"

_LONGEST = 600  # characters of a text
_LEGEND = (("gold", "right choice"), ("wrong", "chosen"))


def sections(task, examples: list, answers: list, num_errors: int) -> list:
    """How often each place is right and is chosen, and the errors made most surely."""
    wrong = [i for i, e in enumerate(examples) if answers[i]["index"] != e.label]
    wrong.sort(key=lambda i: -answers[i]["score"])
    shown = [_example(examples[i], answers[i]) for i in wrong[:num_errors]]
    return [
        _places(examples, answers),
        errors(len(wrong), len(examples), "surest first", shown, _LEGEND),
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


def _example(example, answer):
    """The question, and its choices with their shares, the two that matter marked."""
    kinds = {example.label: ("gold",), answer["index"]: ("wrong",)}
    shares = [percent(score) for score in answer["scores"]]
    sides = [
        Side(kind, name, number(place + 1), shares[place])
        for kind, name, place in (
            ("gold", "right", example.label),
            ("wrong", "chosen", answer["index"]),
        )
    ]
    lines = [
        (f"{place + 1} · {share}", [Piece(cut(choice, _LONGEST), kinds.get(place, ()))])
        for place, (choice, share) in enumerate(zip(example.choices, shares))
    ]
    return Example(sides, texts=[[Piece(cut(example.question, _LONGEST))]], lines=lines)
