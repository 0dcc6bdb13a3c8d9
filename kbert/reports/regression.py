"""What the report shows of models that give a text a number."""

from kbert.reports.charts import scatter_chart
from kbert.reports.classification import texts
from kbert.reports.sections import Charts, Example, Examples, Side

TITLE = "Regression"


def sections(task, examples: list, answers: list, num_errors: int) -> list:
    """Gold against predicted numbers, and the examples that are farthest apart."""
    gold = [float(example.label) for example in examples]
    predicted = [float(answer["score"]) for answer in answers]
    order = sorted(range(len(gold)), key=lambda i: -abs(predicted[i] - gold[i]))
    shown = [
        Example(_sides(gold[i], predicted[i]), texts=texts(examples[i]))
        for i in order[:num_errors]
    ]
    chart = scatter_chart(gold, predicted, "Predicted (upwards) against gold")
    note = f"{len(shown):,} of {len(gold):,} examples, the farthest off first."
    return [
        Charts(
            "Gold and predicted",
            [chart] if chart else [],
            "The line is where both are equal.",
        ),
        Examples("Largest differences", shown, note),
    ]


def _sides(gold, predicted):
    return (
        Side("gold", "gold", f"{gold:,.4g}"),
        Side("wrong", "predicted", f"{predicted:,.4g}"),
        Side("", "difference", f"{predicted - gold:+,.4g}"),
    )
