"""Entities and their scores: worked examples, seqeval's numbers, sklearn's formula."""

import importlib.util
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from kbert.metrics.entities import (
    entities_of,
    entity_scores,
    klue_character_f1,
    klue_character_f1_as_published,
    tag_accuracy,
)

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden_entities.json").read_text("utf-8"))
LABELS = ["O", "B-PS", "B-LC", "I-PS", "I-LC"]


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("B-PER I-PER O I-LOC I-PER", [("PER", 0, 2), ("LOC", 3, 4), ("PER", 4, 5)]),
        ("I-PER I-PER B-PER", [("PER", 0, 2), ("PER", 2, 3)]),  # IOB1
        ("B-PER E-PER S-LOC S-LOC", [("PER", 0, 2), ("LOC", 2, 3), ("LOC", 3, 4)]),
        ("B-PER E-PER I-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        ("O E-PER E-PER", [("PER", 1, 2), ("PER", 2, 3)]),
        ("B-A-B I-A-B", [("A-B", 0, 2)]),
        ("B I O", [("_", 0, 2)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities(tags, entities):
    assert entities_of(tags.split()) == entities


def test_suffix_tags():
    tags = ["PER-B", "PER-I", "LOC-I", "O", "A-B-B", "A-B-I"]
    assert entities_of(tags, suffix=True) == [
        ("PER", 0, 2),
        ("LOC", 2, 3),
        ("A-B", 4, 6),
    ]


def test_an_empty_tag():
    with pytest.raises(ValueError, match="unit 1 has none"):
        entities_of(["O", ""])


def test_golden_entities():
    assert len(GOLDEN["sequences"]) == 60
    for case in GOLDEN["sequences"]:
        found = entities_of(case["tags"], case["suffix"])
        assert [list(entity) for entity in found] == case["entities"], case


def test_golden_scores():
    scores = entity_scores(GOLDEN["true"], GOLDEN["predicted"])
    golden = GOLDEN["scores"]
    for name in ("precision", "recall"):
        assert scores[name] == pytest.approx(golden["micro avg"][name], abs=1e-12)
    assert scores["f1"] == pytest.approx(golden["micro avg"]["f1-score"], abs=1e-12)
    assert scores["macro_f1"] == pytest.approx(
        golden["macro avg"]["f1-score"], abs=1e-12
    )
    assert list(scores["by_type"]) == ["A-B", "LOC", "PER"]
    for kind, own in scores["by_type"].items():
        assert own["f1"] == pytest.approx(golden[kind]["f1-score"], abs=1e-12)
        assert own["precision"] == pytest.approx(golden[kind]["precision"], abs=1e-12)
        assert own["recall"] == pytest.approx(golden[kind]["recall"], abs=1e-12)
        assert own["support"] == golden[kind]["support"]


def test_scores_of_the_worked_example():
    scores = entity_scores(
        [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]]
    )
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.5, 0.5, 0.5)
    assert scores["macro_f1"] == 0.5
    assert scores["by_type"] == {
        "LOC": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        "PER": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
    }


def test_nothing_to_find_is_no_success():
    assert entity_scores([["O"]], [["O"]]) == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "macro_f1": 0.0,
        "by_type": {},
    }


def test_accuracy():
    assert tag_accuracy([["A", "B"], ["C"], []], [["A", "C"], ["C"], []]) == 2 / 3
    assert tag_accuracy([], []) == 0.0


@pytest.mark.parametrize(
    "true, predicted, message",
    [
        ([["O"]], [], r"1 and 0 sequences.*number 0: \[1\] and \[\]"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], r"number 1: \[2\] and \[1\]"),
    ],
)
def test_sequences_that_do_not_match(true, predicted, message):
    for score in (entity_scores, tag_accuracy):
        with pytest.raises(ValueError, match=message):
            score(true, predicted)
    with pytest.raises(ValueError, match=message):
        klue_character_f1(true, predicted, LABELS)


def test_klue_worked_example():
    true, predicted = [["B-PS", "I-PS", "O"]], [["B-PS", "O", "O"]]
    labels = ["O", "B-PS", "I-PS", "B-LC"]
    published = klue_character_f1_as_published(true, predicted, labels)
    assert published == pytest.approx((2 / 3 + 1 + 0 + 1) / 4)
    assert klue_character_f1(true, predicted, labels) == pytest.approx(1 / 2)


def test_klue_without_any_entity():
    # All is O on both sides: the published formula is full of praise.
    assert klue_character_f1_as_published([["O"]], [["O"]], LABELS) == 1.0
    assert klue_character_f1([["O"]], [["O"]], LABELS) == 0.0


def random_sides(rng):
    lengths = rng.integers(0, 12, 20)
    draw = LABELS if rng.random() < 0.7 else LABELS[:4]
    sides = [[list(map(str, rng.choice(draw, n))) for n in lengths] for _ in range(2)]
    kept = [rng.random(n) < 0.6 for n in lengths]
    sides[1] = [
        [a if k else b for a, b, k in zip(*rows, strict=True)]
        for rows in zip(*sides, kept, strict=True)
    ]
    return sides


def test_klue_scores_equal_sklearn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    for _ in range(20):
        true, predicted = random_sides(rng)
        flat = [list(itertools.chain(*side)) for side in (true, predicted)]
        published = metrics.f1_score(
            *flat, labels=LABELS, average="macro", zero_division=1
        )
        ours = klue_character_f1_as_published(true, predicted, LABELS)
        assert ours == pytest.approx(published, abs=1e-12)
        there = sorted(set(flat[0] + flat[1]) - {"O"})
        corrected = metrics.f1_score(*flat, labels=there, average="macro")
        ours = klue_character_f1(true, predicted, LABELS)
        assert ours == pytest.approx(corrected, abs=1e-12)


def golden_script():
    path = HERE / "make_golden_entities.py"
    spec = importlib.util.spec_from_file_location("make_golden_entities", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("letters", ["OBI", "OBIES", "OBIES.X"])
def test_random_sequences_equal_seqeval(letters):
    pytest.importorskip("seqeval")
    from seqeval.metrics import f1_score
    from seqeval.metrics.sequence_labeling import get_entities

    random_tags = golden_script().random_tags
    rng = np.random.default_rng(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval on strange tags and on empty types
        for suffix in (False, True):
            for _ in range(300):
                tags = random_tags(rng, letters, suffix)
                expected = [(k, a, b + 1) for k, a, b in get_entities(tags, suffix)]
                assert entities_of(tags, suffix) == expected, tags
        for _ in range(30):
            true = [random_tags(rng, letters, False) for _ in range(8)]
            said = [[t if rng.random() < 0.5 else "O" for t in tags] for tags in true]
            scores = entity_scores(true, said)
            assert scores["f1"] == pytest.approx(f1_score(true, said), abs=1e-12)
            macro = f1_score(true, said, average="macro")
            assert scores["macro_f1"] == pytest.approx(macro, abs=1e-12)
