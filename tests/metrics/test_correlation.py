"""Correlations against their definitions: in pieces, with ties, and on two devices."""

import keras
import numpy as np
import pytest
from two_devices import on_two_devices

from kbert.metrics.correlation import (
    PearsonCorrelation,
    SpearmanCorrelation,
    pearson,
    spearman,
)


def weighted_pearson(a, b, weights):
    """As it is defined, in two passes of float64."""
    a, b, share = (np.asarray(x, "float64") for x in (a, b, weights / weights.sum()))
    a, b = a - share @ a, b - share @ b
    return share @ (a * b) / np.sqrt((share @ (a * a)) * (share @ (b * b)))


def ranks(values):
    """Counted: 1 + those below + half of the others that are equal."""
    below = (values[None] < values[:, None]).sum(1)
    return 1 + below + ((values[None] == values[:, None]).sum(1) - 1) / 2


def scored(count=57, seed=0, offset=0.0):
    """labels (N,) in halves, so that there are ties; scores (N, 1); weights (N,)."""
    rng = np.random.default_rng(seed)
    labels = np.round(rng.uniform(0, 5, count) * 2) / 2 + offset
    scores = np.round(labels + rng.normal(size=count), 1)[:, None]
    weights = rng.integers(0, 3, count)
    return tuple(x.astype("float32") for x in (labels, scores, weights))


def fed(metric, *arrays, size=10):
    """Result after batches of `size`, the last one smaller."""
    for start in range(0, len(arrays[0]), size):
        metric.update_state(*(a[start : start + size] for a in arrays))
    return float(metric.result())


def test_golden_functions():
    # scipy.stats: pearsonr, spearmanr
    assert pearson([1, 2, 3], [1, 2, 4]) == pytest.approx(0.98198051)
    assert spearman([10, 20, 30], [5, 9, 9]) == pytest.approx(0.86602540)
    assert pearson([1, 2], [5, 4]) == pytest.approx(-1)


@pytest.mark.parametrize("seed", range(3))
def test_functions_and_metrics_agree(seed):
    labels, scores, _ = scored(seed=seed)
    own = pearson(labels, scores[:, 0])
    assert own == pytest.approx(
        weighted_pearson(labels, scores[:, 0], np.ones(57)), abs=1e-6
    )
    assert fed(PearsonCorrelation(), labels, scores) == pytest.approx(own, abs=1e-6)
    own = spearman(labels, scores[:, 0])
    by_count = weighted_pearson(ranks(labels), ranks(scores[:, 0]), np.ones(57))
    assert own == pytest.approx(by_count, abs=1e-6)
    assert fed(SpearmanCorrelation(60), labels, scores) == pytest.approx(own, abs=1e-6)


def test_weights():
    labels, scores, weights = scored()
    expected = weighted_pearson(labels, scores[:, 0], weights)
    value = fed(PearsonCorrelation(), labels[:, None], scores, weights)
    assert value == pytest.approx(expected, abs=1e-6)
    twice = np.repeat(np.arange(57), weights.astype(int))
    value = fed(PearsonCorrelation(), labels[twice], scores[twice])
    assert value == pytest.approx(expected, abs=1e-6)
    counted = weights > 0
    assert 0 < counted.sum() < 57
    expected = spearman(labels[counted], scores[counted, 0])
    scores[~counted] = np.nan  # what is left out may be anything
    metric = SpearmanCorrelation(int(counted.sum()))
    value = fed(metric, labels, scores, weights)
    assert value == pytest.approx(expected, abs=1e-6)
    value = fed(PearsonCorrelation(), labels, scores, weights)
    assert value == pytest.approx(
        weighted_pearson(labels[counted], scores[counted, 0], weights[counted]),
        abs=1e-6,
    )


def test_pearson_far_from_zero():
    # In float32 the sums of squares, 1e8 each, would round the variance away.
    labels, scores, _ = scored(3000, offset=10_000)
    expected = pearson(labels, scores[:, 0])
    assert fed(PearsonCorrelation(), labels, scores) == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize("make", [PearsonCorrelation, SpearmanCorrelation])
def test_constants_tell_nothing(make):
    labels, _, _ = scored()
    constant = np.full((57, 1), 0.1, "float32")
    assert fed(make(), labels, constant) == 0
    assert fed(make(), constant, labels) == 0
    assert float(make().result()) == 0
    function = {"pearson": pearson, "spearman": spearman}[make().name]
    assert function(labels, constant[:, 0]) == 0


@pytest.mark.parametrize("make", [PearsonCorrelation, SpearmanCorrelation])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_hidden(make, bad):
    labels, scores, _ = scored()
    scores[30] = bad
    metric = make()
    assert np.isnan(fed(metric, labels, scores))
    metric.reset_state()
    assert fed(metric, labels, labels) == pytest.approx(1, abs=1e-6)


def test_more_examples_than_capacity_give_nan():
    labels, scores, _ = scored()
    assert np.isfinite(fed(SpearmanCorrelation(57), labels, scores))
    metric = SpearmanCorrelation(56)
    assert np.isnan(fed(metric, labels, scores))
    metric.reset_state()
    value = fed(metric, labels[:50], scores[:50])
    assert value == pytest.approx(spearman(labels[:50], scores[:50, 0]), abs=1e-6)


@pytest.mark.parametrize(
    "metric",
    [PearsonCorrelation("own", "float64"), SpearmanCorrelation(7, "own", "float64")],
)
def test_config_round_trip(metric):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.name == "own"


def test_capacity_of_nothing():
    with pytest.raises(ValueError, match="capacity must be at least 1; got 0"):
        SpearmanCorrelation(0)


PROGRAM = """
from kbert.metrics.correlation import PearsonCorrelation, SpearmanCorrelation

arrays = np.load(sys.argv[1])
given = [arrays[part] for part in ("labels", "scores", "weights")]
results = {
    # 57 examples, of which one replica sees 29: it has half of the slots.
    f"capacity {capacity}": evaluated(
        lambda: [PearsonCorrelation(), SpearmanCorrelation(capacity)], *given
    )
    for capacity in (58, 57, 56)
}
print(json.dumps(results))
"""


needs_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
)


@needs_tensorflow
def test_two_devices(tmp_path):
    labels, scores, _ = scored(offset=100)
    order = np.argsort(labels)  # replicas see other values
    labels, scores, weights = labels[order], scores[order], np.ones(57, "float32")
    weights[-1] = 0.5
    found = on_two_devices(
        PROGRAM, tmp_path, {"labels": labels, "scores": scores, "weights": weights}
    )
    expected = {
        "pearson": weighted_pearson(labels, scores[:, 0], weights),
        "spearman": spearman(labels, scores[:, 0]),
    }
    assert found["capacity 58"] == pytest.approx(expected, abs=1e-6)
    # An odd capacity is rounded up to a slot for each replica.
    assert found["capacity 57"] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found["capacity 56"]["spearman"])
    assert found["capacity 56"]["pearson"] == pytest.approx(
        expected["pearson"], abs=1e-6
    )
