"""The three problems: targets, answers, scores and what a constant would get."""

import numpy as np
import pytest

from kbert.tasks.classification.text_problems import MultiLabel, Regression, SingleLabel

LABELS = ("a", "b", "c")


def test_one_label_to_targets_and_back():
    problem = SingleLabel()
    assert problem.labels_in(["b", "a", "b"]) == {"a", "b"}
    targets = problem.targets(["c", "a"], LABELS)
    assert (targets.tolist(), targets.dtype) == ([2, 0], "int32")
    first, second = problem.answers(np.log([[1, 2, 5], [6, 1, 1]]), LABELS)
    assert first["label"] == "c"
    assert first["score"] == pytest.approx(0.625)
    assert first["scores"] == pytest.approx({"a": 0.125, "b": 0.25, "c": 0.625})
    assert second["label"] == "a"


def test_scores_of_one_label():
    answers = SingleLabel().answers(np.log([[1, 2, 5], [6, 1, 1], [1, 2, 1]]), LABELS)
    scores = SingleLabel().scores(answers, ["c", "b", "b"], LABELS)
    assert scores == pytest.approx(
        {
            "accuracy": 2 / 3,
            "macro_f1": (0 + 2 / 3 + 1) / 3,
            "micro_f1": 2 / 3,
            # sklearn: matthews_corrcoef([2, 1, 1], [2, 0, 1])
            "mcc": 3 / (24**0.5),
            "loss": -np.log([0.625, 0.125, 0.5]).mean(),
        }
    )


def test_huge_logits_of_one_label():
    answers = SingleLabel().answers([[1e4, 0.0, -1e4]], LABELS)
    assert answers[0]["scores"] == {"a": 1, "b": 0, "c": 0}
    assert SingleLabel().scores(answers, ["b"], LABELS)["loss"] == pytest.approx(
        69.08, abs=0.01
    )


def test_several_labels_to_targets_and_back():
    problem = MultiLabel()
    golds = [("a", "c"), (), ("a",)]
    assert problem.labels_in(golds) == {"a", "c"}
    targets = problem.targets(golds, LABELS)
    assert targets.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert targets.dtype == "float32"
    (answer,) = problem.answers([[np.log(3), -np.log(3), 900.0]], LABELS)
    assert answer["labels"] == ["a", "c"]
    assert answer["scores"] == pytest.approx({"a": 0.75, "b": 0.25, "c": 1})


def test_scores_of_several_labels():
    logits = np.log([[3, 1 / 3, 1 / 3], [3, 3, 1 / 3]])
    answers = MultiLabel().answers(logits, LABELS)
    scores = MultiLabel().scores(answers, [("a",), ("b", "c")], LABELS)
    assert scores == pytest.approx(
        {
            "micro_f1": 2 * 2 / (3 + 3),
            "macro_f1": (2 / 3 + 1 + 0) / 3,
            "accuracy": 0.5,
            "loss": -np.log([0.75, 0.75, 0.75, 0.25, 0.75, 0.25]).mean(),
        }
    )


def test_regression():
    problem = Regression()
    assert problem.targets([1.5, 2.0], ()).tolist() == [[1.5], [2.0]]
    answers = problem.answers(np.array([[1.0], [2.0], [2.0]], "float32"), ())
    assert answers == [{"score": 1.0}, {"score": 2.0}, {"score": 2.0}]
    # scipy: pearsonr, spearmanr
    assert problem.scores(answers, [1.0, 3.0, 5.0], ()) == pytest.approx(
        {"pearson": 0.8660254, "spearman": 0.8660254, "mse": 10 / 3}
    )
    assert problem.floors([1.0, 3.0], ()) == {"pearson": 0, "spearman": 0}


def test_the_majority():
    floors = SingleLabel().floors(["a", "a", "c", "b"], LABELS)
    assert floors == pytest.approx(
        {"accuracy": 0.5, "macro_f1": 2 / 3 / 3, "micro_f1": 0.5, "mcc": 0}
    )


def test_the_best_constants_of_several_labels():
    """Against all the sets there are."""
    golds = [("a",), ("a", "b"), ("a", "b"), ("c",), (), ("a",), ("a",)]
    problem = MultiLabel()
    best = {}
    for number in range(8):
        said = [label for i, label in enumerate(LABELS) if number >> i & 1]
        answer = {"labels": said, "scores": dict.fromkeys(LABELS, 0.5)}
        for name, value in problem.scores([answer] * 7, golds, LABELS).items():
            best[name] = max(best.get(name, 0), value)
    floors = problem.floors(golds, LABELS)
    assert set(floors) == set(MultiLabel.metrics)
    assert floors == pytest.approx({name: best[name] for name in floors})


def test_what_is_not_known_or_finite():
    message = "labels of training .a, b, c.; row 3 says 'd'"
    with pytest.raises(ValueError, match=message):
        SingleLabel().check("d", LABELS, "row 3")
    with pytest.raises(ValueError, match=message):
        MultiLabel().check(("a", "d"), LABELS, "row 3")
    with pytest.raises(ValueError, match="Expected a finite number; row 3 says nan"):
        Regression().check(float("nan"), (), "row 3")
