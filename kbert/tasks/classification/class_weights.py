"""What an example of each class counts in the loss."""

import math
from collections import Counter


def class_weights(
    spec: tuple[str, ...], labels: tuple[str, ...], found: list[str]
) -> tuple[float, ...]:
    """A number for each label, in their order.

        >>> class_weights(("balanced",), labels=("a", "b"), found=["a", "a", "a", "b"])
        (0.6666666666666666, 2.0)
        >>> class_weights(("b=2",), labels=("a", "b"), found=[])
        (1.0, 2.0)

    Args:
        spec: "balanced" alone, for examples / (classes x examples of the class), so
            that all classes count the same; or LABEL=WEIGHT for some, the others
            having 1. () gives ().
        labels: of the task.
        found: the label of every training example.

    Raises:
        ValueError: an entry of another form, a label that is not there or is named
            twice, a weight that is not above 0, or a class to balance of which there
            is no example.
    """
    if not spec:
        return ()
    if tuple(spec) == ("balanced",):
        return _balanced(labels, found)
    weights = {}
    for entry in spec:
        label, equals, number = entry.rpartition("=")
        if not equals:
            raise ValueError(
                "Expected class weights as LABEL=WEIGHT, or balanced alone; got "
                f"{entry!r}."
            )
        if label not in labels or label in weights:
            raise ValueError(
                f"Expected one weight for some of the labels {', '.join(labels)}; got "
                f"{entry!r}" + (" as a second one." if label in weights else ".")
            )
        weights[label] = _positive(number, entry)
    return tuple(weights.get(label, 1.0) for label in labels)


def _balanced(labels, found):
    counts = Counter(found)
    missing = [label for label in labels if not counts[label]]
    if missing:
        raise ValueError(
            "Expected examples of every label to balance; there is none of "
            f"{', '.join(missing)}."
        )
    return tuple(len(found) / (len(labels) * counts[label]) for label in labels)


def _positive(number, entry):
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise ValueError(f"Expected a class weight above 0; got {entry!r}.")
    return weight
