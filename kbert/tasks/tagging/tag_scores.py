"""Scores of predicted tags by name, 0 to 1, for each kind of tags."""

from collections.abc import Sequence

from kbert.metrics.entities import (
    entity_scores,
    klue_character_f1,
    klue_character_f1_as_published,
    tag_accuracy,
)

PLAIN_METRICS = ("accuracy", "macro_f1")
ENTITY_METRICS = ("f1", "precision", "recall", "macro_f1", "accuracy")
CHARACTER_METRICS = (
    *ENTITY_METRICS,
    "klue_character_f1",
    "klue_character_f1_as_published",
)

_Tags = Sequence[Sequence[str]]


def plain_tag_scores(true: _Tags, predicted: _Tags) -> dict[str, float]:
    """`PLAIN_METRICS` of tags that stand for themselves; `macro_f1` over the tags."""
    entities = entity_scores(as_entities(true), as_entities(predicted))
    return {
        "accuracy": tag_accuracy(true, predicted),
        "macro_f1": entities["macro_f1"],
    }


def word_tag_scores(true: _Tags, predicted: _Tags) -> dict[str, float]:
    """`ENTITY_METRICS` of BIO tags: the entities', and the accuracy of the tags."""
    scores = entity_scores(true, predicted) | {
        "accuracy": tag_accuracy(true, predicted)
    }
    return {name: scores[name] for name in ENTITY_METRICS}


def character_tag_scores(
    true: _Tags, predicted: _Tags, labels: Sequence[str]
) -> dict[str, float]:
    """`CHARACTER_METRICS` of BIO tags: also KLUE's, over the characters' tags."""
    return word_tag_scores(true, predicted) | {
        "klue_character_f1": klue_character_f1(true, predicted, labels),
        "klue_character_f1_as_published": klue_character_f1_as_published(
            true, predicted, labels
        ),
    }


def as_entities(sequences: _Tags) -> list[list[str]]:
    """Plain tags as entities of one unit each.

    >>> as_entities([["NOUN", "VERB"]])
    [['S-NOUN', 'S-VERB']]
    """
    return [[f"S-{tag}" for tag in tags] for tags in sequences]
