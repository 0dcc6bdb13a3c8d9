"""What the report shows of taggers: entities or tags marked within texts."""

from collections import Counter

from kbert.reports.excerpts import marked_text
from kbert.reports.sections import Example, Side, errors, figures
from kbert.tasks.tagging.tagged_text import in_units

TITLE = "Tagging"

_AROUND = 100  # characters to either side of a span in a long text
_WHOLE = 400  # characters of a text that is shown from end to end
_LEGEND = (
    ("right", "found"),
    ("gold", "missed: gold, not predicted"),
    ("wrong", "wrong: predicted, not gold"),
)


def sections(task, examples: list, answers: list, num_errors: int) -> list:
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
    shown = [
        _example(examples[i].text, *pairs[i], task.tags_entities)
        for i in wrong[:num_errors]
    ]
    title, name = ("Entity types", "type") if task.tags_entities else ("Tags", "tag")
    sets = [(gold & predicted, predicted, gold) for gold, predicted in pairs]
    right, predicted, gold = (
        Counter(span[2] for spans in column for span in spans)
        for column in zip(*sets, strict=True)
    )
    types = sorted(predicted.keys() | gold.keys())
    counts = [(right[kind], predicted[kind], gold[kind]) for kind in types]
    return [
        figures(title, name, types, counts),
        errors(
            len(wrong),
            len(examples),
            "those with most wrong first",
            shown,
            _LEGEND if task.tags_entities else _LEGEND[1:],
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


def _example(text, gold, predicted, marks_right):
    """The text twice, with the gold and with the predicted types."""
    right = gold & predicted
    missed, extra = len(gold - right), len(predicted - right)
    sides = [Side("gold", f"{missed} missed")] * bool(missed)
    sides += [Side("wrong", f"{extra} wrong")] * bool(extra)
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
        lines.append((name, marked_text(text, marks, focus, _AROUND, _WHOLE)))
    return Example(sides, lines=lines)
