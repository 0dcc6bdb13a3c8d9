"""Scores by name for each kind of tags."""

import pytest

from kbert.tasks.tagging.tag_scores import (
    CHARACTER_METRICS,
    ENTITY_METRICS,
    PLAIN_METRICS,
    as_entities,
    character_tag_scores,
    plain_tag_scores,
    word_tag_scores,
)

TRUE = [["B-A-B", "I-A-B", "O"], ["B-C"]]
SAID = [["B-A-B", "O", "O"], ["B-C"]]


def test_each_kind_has_its_scores():
    words = word_tag_scores(TRUE, SAID)
    assert tuple(words) == ENTITY_METRICS
    assert words == pytest.approx(
        {"f1": 0.5, "precision": 0.5, "recall": 0.5, "macro_f1": 0.5, "accuracy": 0.75}
    )
    labels = ["O", "B-A-B", "B-C", "I-A-B", "I-C"]
    characters = character_tag_scores(TRUE, SAID, labels)
    assert tuple(characters) == CHARACTER_METRICS
    assert characters["klue_character_f1"] == pytest.approx((1 + 1 + 0) / 3)
    published = characters["klue_character_f1_as_published"]
    assert published == pytest.approx((2 / 3 + 1 + 1 + 0 + 1) / 5)


def test_plain_tags():
    scores = plain_tag_scores([["NOUN", "A-B"], ["X"]], [["NOUN", "NOUN"], ["X"]])
    assert tuple(scores) == PLAIN_METRICS
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_equal_tags_side_by_side_are_two():
    assert as_entities([["X", "X"], []]) == [["S-X", "S-X"], []]
    assert plain_tag_scores([["X", "X"]], [["X", "X"]])["accuracy"] == 1
