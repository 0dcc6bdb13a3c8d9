"""F1 and Matthews' correlation against their definitions, on two devices too."""

import keras
import numpy as np
import pytest
from two_devices import on_two_devices

from kbert.metrics.classification import (
    F1,
    MatthewsCorrelation,
    classification_scores,
    multi_label_scores,
)


def f1_by_definition(hits, guessed, true):
    """From precision and recall; 0 where there are none."""
    precision = hits / guessed if guessed else 0.0
    recall = hits / true if true else 0.0
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def f1(labels, guesses, weights, average):
    """labels, guesses 0 or 1 (N, C); weights (N, C)."""
    counts = [(weights * x).sum(axis=0) for x in (labels * guesses, guesses, labels)]
    if average == "micro":
        return f1_by_definition(*(c.sum() for c in counts))
    return np.mean([f1_by_definition(*c) for c in zip(*counts)])


def mcc(labels, guesses, weights):
    """The correlation of the one-hot vectors, Gorodkin's definition; (N, C) each."""
    share = weights[:, None] / weights.sum()
    x, y = labels - (share * labels).sum(0), guesses - (share * guesses).sum(0)
    covariance = [(share * a * b).sum() for a, b in ((x, y), (x, x), (y, y))]
    return covariance[0] / np.sqrt(covariance[1] * covariance[2])


def single(count=57, classes=4, seed=0):
    """labels (N,), logits (N, C), weights (N,); class 3 is neither true nor guessed."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - 1, count)
    logits = rng.normal(size=(count, classes)).astype("float32")
    logits[np.arange(count), labels] += 1
    logits[:, -1] = -9
    return labels, logits, rng.integers(0, 4, count).astype("float32")


def several(count=57, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, classes)) < [0.7, 0.2, 0.05]).astype("float32")
    logits = rng.normal(size=(count, classes)).astype("float32") + labels
    return labels, logits, rng.random(count).astype("float32")


def one_hot(values, classes):
    return np.eye(classes)[values]


def fed(metric, *arrays, size=10):
    """Result after batches of `size`, the last one smaller."""
    for start in range(0, len(arrays[0]), size):
        metric.update_state(*(a[start : start + size] for a in arrays))
    return float(metric.result())


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_f1_of_one_label_across_batches(average):
    labels, logits, weights = single()
    hot, guesses = one_hot(labels, 4), one_hot(logits.argmax(1), 4)
    expected = f1(hot, guesses, np.ones((57, 4)), average)
    metric = F1(4, average)
    assert metric.name == f"{average}_f1"
    assert fed(metric, labels, logits) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    expected = f1(hot, guesses, weights[:, None] * np.ones(4), average)
    column = fed(metric, labels[:, None], logits, weights)
    assert column == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_f1_of_several_labels_across_batches(average):
    labels, logits, weights = several()
    guesses = (logits > 0).astype("float32")
    expected = f1(labels, guesses, np.ones((57, 3)), average)
    assert fed(F1(3, average), labels, logits) == pytest.approx(expected, abs=1e-6)
    spread = weights[:, None] * np.ones(3)
    expected = f1(labels, guesses, spread, average)
    for given in (weights, spread):
        value = fed(F1(3, average), labels, logits, given)
        assert value == pytest.approx(expected, abs=1e-6)


def test_f1_of_one_yes_or_no():
    labels, logits, _ = several()
    metric = F1(1, "micro")
    value = fed(metric, labels[:, 0], logits[:, :1])
    expected = multi_label_scores(labels[:, :1], logits[:, :1] > 0)["micro_f1"]
    assert value == pytest.approx(expected, abs=1e-6)


def test_mcc_across_batches():
    labels, logits, weights = single()
    hot, guesses = one_hot(labels, 4), one_hot(logits.argmax(1), 4)
    value = fed(MatthewsCorrelation(4), labels, logits)
    assert value == pytest.approx(mcc(hot, guesses, np.ones(57)), abs=1e-6)
    value = fed(MatthewsCorrelation(4), labels[:, None], logits, weights)
    assert value == pytest.approx(mcc(hot, guesses, weights), abs=1e-6)


def test_mcc_of_rare_classes_keeps_its_digits_in_float32():
    # 3 hits, 1 false, 2 missed and 2 999 994 right: from shares, 1e-7 would be lost.
    counts = np.array([[2_999_994, 1], [2, 3]], "float32")
    metric = MatthewsCorrelation(2)
    metric.confusion.assign(counts)
    tn, fp, fn, tp = counts.astype("float64").ravel()
    expected = (tp * tn - fp * fn) / np.sqrt(
        (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    )
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_golden_functions():
    # sklearn: f1_score, matthews_corrcoef
    scores = classification_scores([0, 0, 1], [0, 1, 1], 2)
    expected = {"accuracy": 2 / 3, "macro_f1": 2 / 3, "micro_f1": 2 / 3, "mcc": 0.5}
    assert scores == pytest.approx(expected)
    scores = multi_label_scores([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    expected = {"micro_f1": 0.8, "macro_f1": 5 / 6, "accuracy": 0.5}
    assert scores == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_functions_and_metrics_agree(seed):
    labels, logits, _ = single(seed=seed)
    scores = classification_scores(labels, logits.argmax(1), 4)
    hot, guesses = one_hot(labels, 4), one_hot(logits.argmax(1), 4)
    assert scores["mcc"] == pytest.approx(mcc(hot, guesses, np.ones(57)))
    for name, metric in (
        ("macro_f1", F1(4)),
        ("micro_f1", F1(4, "micro")),
        ("mcc", MatthewsCorrelation(4)),
    ):
        assert fed(metric, labels, logits) == pytest.approx(scores[name], abs=1e-6)
    assert scores["accuracy"] == pytest.approx(scores["micro_f1"])
    labels, logits, _ = several(seed=seed)
    scores = multi_label_scores(labels, logits > 0)
    for average in ("macro", "micro"):
        value = fed(F1(3, average), labels, logits)
        assert value == pytest.approx(scores[f"{average}_f1"], abs=1e-6)


def test_nothing_to_find_and_nothing_found():
    scores = classification_scores([1, 1], [1, 1], 3)
    assert scores == pytest.approx(
        {"accuracy": 1, "macro_f1": 1 / 3, "micro_f1": 1, "mcc": 0}
    )
    scores = multi_label_scores(np.zeros((2, 2)), np.zeros((2, 2)))
    assert scores == {"micro_f1": 0, "macro_f1": 0, "accuracy": 1}
    for metric in (F1(3), F1(3, "micro"), MatthewsCorrelation(3)):
        assert float(metric.result()) == 0


@pytest.mark.parametrize(
    "metric",
    [F1(5, "micro", name="own", dtype="float64"), MatthewsCorrelation(5, name="own")],
)
def test_config_round_trip(metric):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert (again.name, again.num_classes) == ("own", 5)


def test_unknown_average():
    with pytest.raises(ValueError, match="average must be macro or micro; got 'mean'"):
        F1(3, "mean")


PROGRAM = """
from kbert.metrics.classification import F1, MatthewsCorrelation

arrays = np.load(sys.argv[1])
results = {}
for kind, make in {
    "single": lambda: [F1(4), F1(4, "micro"), MatthewsCorrelation(4)],
    "several": lambda: [F1(3), F1(3, "micro")],
}.items():
    given = [arrays[f"{kind}_{part}"] for part in ("labels", "logits", "weights")]
    results[kind] = evaluated(make, *given)
print(json.dumps(results))
"""


needs_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
)


@needs_tensorflow
def test_two_devices(tmp_path):
    arrays = {}
    for kind, (labels, logits, weights) in {
        "single": single(),
        "several": several(),
    }.items():
        order = np.argsort(labels.reshape(57, -1)[:, 0])  # replicas see other labels
        for part, array in zip(
            ("labels", "logits", "weights"), (labels, logits, weights)
        ):
            arrays[f"{kind}_{part}"] = array[order]
    found = on_two_devices(PROGRAM, tmp_path, arrays)
    labels, logits, weights = single()
    hot, guesses = one_hot(labels, 4), one_hot(logits.argmax(1), 4)
    spread = weights[:, None] * np.ones(4)
    expected = {a: f1(hot, guesses, spread, a) for a in ("macro", "micro")}
    assert found["single"] == pytest.approx(
        {
            "macro_f1": expected["macro"],
            "micro_f1": expected["micro"],
            "mcc": mcc(hot, guesses, weights),
        },
        abs=1e-6,
    )
    labels, logits, weights = several()
    spread = weights[:, None] * np.ones(3)
    assert found["several"] == pytest.approx(
        {f"{a}_f1": f1(labels, logits > 0, spread, a) for a in ("macro", "micro")},
        abs=1e-6,
    )
