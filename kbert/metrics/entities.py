"""Entities in tag sequences, and how many of them were found.

An entity is right if its type, its beginning and its end are. The rules are those of
conlleval, the script of CoNLL-2000, as `seqeval` has them by default: an entity begins
at B- and S-, and at I- or E- after O, after another type, or after E- or S-. So BIO,
IOB1 and BIOES need not be told apart. Scores are between 0 and 1.
"""

from collections.abc import Sequence

import numpy as np

Entity = tuple[str, int, int]


def entities_of(tags: Sequence[str], suffix: bool = False) -> list[Entity]:
    """(type, start, limit) of each entity in one sequence: units start to limit - 1.

        >>> entities_of(["B-PER", "I-PER", "O", "I-LOC", "I-PER"])
        [('PER', 0, 2), ('LOC', 3, 4), ('PER', 4, 5)]

    Args:
        tags: "O", or a letter, a hyphen and a type: "B-PER".
        suffix: the letter stands at the end: "PER-B".

    Raises:
        ValueError: an empty tag.
    """
    entities = []
    letter, kind, start = "O", "", 0
    for place, tag in enumerate([*tags, "O"]):
        last_letter, last_kind = letter, kind
        letter, kind = _parts(tag, place, suffix)
        is_other = last_kind != kind
        if last_letter not in "O." and (
            is_other or last_letter in "ES" or (last_letter in "BI" and letter in "BSO")
        ):
            entities.append((last_kind, start, place))
        if (
            letter in "BS"
            or (letter in "EI" and last_letter in "ESO")
            or (letter not in "O." and is_other)
        ):
            start = place
    return entities


def _parts(tag, place, suffix):
    """The letter and the type; "_" for no type, as seqeval calls it."""
    if not tag:
        raise ValueError(f"Expected a tag such as O or B-PER; unit {place} has none.")
    if suffix:
        return tag[-1], tag[:-1].rsplit("-", 1)[0] or "_"
    return tag[0], tag[1:].split("-", 1)[-1] or "_"


def entity_scores(
    true_tags: Sequence[Sequence[str]], predicted_tags: Sequence[Sequence[str]]
) -> dict:
    """Precision, recall and F1 of the entities in many sequences.

        >>> true, predicted = "B-PER I-PER O B-LOC", "B-PER O O B-LOC"
        >>> scores = entity_scores([true.split()], [predicted.split()])
        >>> scores.pop("by_type").keys(), scores
        (dict_keys(['LOC', 'PER']),
         {'precision': 0.5, 'recall': 0.5, 'f1': 0.5, 'macro_f1': 0.5})

    `macro_f1` is the mean over the types that occur on either side. Where nothing can
    be divided, the score is 0.

    Returns: "precision", "recall", "f1" over all entities, "macro_f1", and "by_type":
        for each type, sorted, a dict of "precision", "recall", "f1" and "support", the
        number of true entities.

    Raises:
        ValueError: sequences of different number or length.
    """
    _check_lengths(true_tags, predicted_tags)
    counts = {}  # type -> right, predicted, true
    for true, predicted in zip(true_tags, predicted_tags, strict=True):
        true, predicted = set(entities_of(true)), set(entities_of(predicted))
        for column, found in enumerate((true & predicted, predicted, true)):
            for kind, _, _ in found:
                counts.setdefault(kind, [0, 0, 0])[column] += 1
    by_type = {
        kind: _scores(*counts[kind]) | {"support": counts[kind][2]}
        for kind in sorted(counts)
    }
    total = np.array([*counts.values(), [0, 0, 0]]).sum(axis=0).tolist()
    f1 = [scores["f1"] for scores in by_type.values()]
    macro_f1 = float(np.mean(f1)) if f1 else 0.0
    return _scores(*total) | {"macro_f1": macro_f1, "by_type": by_type}


def _scores(right, predicted, true):
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (predicted + true) if predicted + true else 0.0,
    }


def tag_accuracy(
    true_tags: Sequence[Sequence[str]], predicted_tags: Sequence[Sequence[str]]
) -> float:
    """Share of the units whose tag is right; 0 if there is no unit."""
    _check_lengths(true_tags, predicted_tags)
    right = [
        a == b
        for true, predicted in zip(true_tags, predicted_tags, strict=True)
        for a, b in zip(true, predicted, strict=True)
    ]
    return sum(right) / len(right) if right else 0.0


def klue_character_f1_as_published(
    true_tags: Sequence[Sequence[str]],
    predicted_tags: Sequence[Sequence[str]],
    labels: Sequence[str],
) -> float:
    """Mean of the F1 of the characters' tags, by the formula of KLUE's baseline.

    The mean is over all `labels`: O is one of them, although its docstring says
    otherwise, and a label that is neither there nor predicted counts as 1. White space
    is no character here. The published script, besides, loses its place in the tags
    behind an [UNK]; that is not imitated, so that a score of it may be lower than this.

        >>> true, predicted = [["B-PS", "I-PS", "O"]], [["B-PS", "O", "O"]]
        >>> labels = ["O", "B-PS", "I-PS", "B-LC"]  # (2/3 + 1 + 0 + 1) / 4
        >>> round(klue_character_f1_as_published(true, predicted, labels), 3)
        0.667

    Raises:
        ValueError: sequences of different number or length.
    """
    f1 = _f1_by_label(true_tags, predicted_tags, labels)
    return float(np.mean(np.where(np.isnan(f1), 1.0, f1)))


def klue_character_f1(
    true_tags: Sequence[Sequence[str]],
    predicted_tags: Sequence[Sequence[str]],
    labels: Sequence[str],
) -> float:
    """Mean of the F1 of the characters' tags, over the tags of entities that occur.

    O is left out, and so is a label that is neither there nor predicted.

        >>> true, predicted = [["B-PS", "I-PS", "O"]], [["B-PS", "O", "O"]]
        >>> klue_character_f1(true, predicted, ["O", "B-PS", "I-PS", "B-LC"])
        0.5

    Raises:
        ValueError: sequences of different number or length.
    """
    f1 = _f1_by_label(true_tags, predicted_tags, [x for x in labels if x != "O"])
    f1 = f1[~np.isnan(f1)]
    return float(f1.mean()) if len(f1) else 0.0


def _f1_by_label(true_tags, predicted_tags, labels):
    """float64 (labels,); NaN where a label occurs on neither side."""
    _check_lengths(true_tags, predicted_tags)
    row = {label: i for i, label in enumerate(labels)}
    last = len(row)  # for tags that are no label
    true, predicted = (
        np.array([row.get(tag, last) for tags in side for tag in tags], "int64")
        for side in (true_tags, predicted_tags)
    )
    right, said, there = (
        np.bincount(tags, minlength=last + 1)[:last]
        for tags in (true[true == predicted], predicted, true)
    )
    with np.errstate(invalid="ignore"):
        return 2 * right / (said + there)


def _check_lengths(true_tags, predicted_tags):
    true, predicted = list(map(len, true_tags)), list(map(len, predicted_tags))
    if true != predicted:
        wrong = next(
            (i for i, (a, b) in enumerate(zip(true, predicted)) if a != b),
            min(len(true), len(predicted)),
        )
        raise ValueError(
            "Expected as many predicted tags as true ones; got "
            f"{len(true)} and {len(predicted)} sequences, which differ first in number "
            f"{wrong}: {true[wrong : wrong + 1]} and {predicted[wrong : wrong + 1]} "
            "tags."
        )
