"""A training ends where it would have ended, wherever it was stopped."""

import keras
import numpy as np
import pytest

from kbert.training.batches import Batches
from kbert.training.trainer import LoopSettings, Training

SETTINGS = LoopSettings(num_steps=30, evaluate_every=7)


def compiled(rate=0.05):
    """A model with dropout, and so with random states of its own."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


def batch(step):
    x = np.random.default_rng(step).normal(size=(6, 4)).astype("float32")
    return x, x.sum(axis=1, keepdims=True), np.ones(6, "float32")


BATCHES = Batches(batch, steps_per_epoch=10, has_one_length=True)


class HeldOut:
    """Gives scores that are said beforehand."""

    shown = {"quality": "quality"}  # noqa: RUF012

    def __init__(self, qualities):
        self.qualities = iter(qualities)
        self.kept = 0

    def scores(self):
        return {"quality": next(self.qualities)}

    def score(self, scores):
        return scores["quality"]

    def keep(self):
        self.kept += 1

    def forget(self):
        self.qualities = None


def stop_after(evaluations):
    def after(training):
        after.left -= 1
        if not after.left:
            raise KeyboardInterrupt

    after.left = evaluations
    return after


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    return Training(compiled(), BATCHES, SETTINGS, directory).train()


@pytest.mark.parametrize("evaluations", [1, 3])
def test_resumed_is_identical(whole, tmp_path, capsys, evaluations):
    stopped = Training(
        compiled(), BATCHES, SETTINGS, tmp_path, None, stop_after(evaluations)
    )
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    resumed = Training(compiled(), BATCHES, SETTINGS, tmp_path).train()
    assert f"Going on from step {7 * evaluations}." in capsys.readouterr().out
    for one, other in zip(
        whole.model.variables + whole.model.optimizer.variables,
        resumed.model.variables + resumed.model.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert resumed.history == whole.history
    log = [(d / "log.csv").read_text() for d in (whole.directory, tmp_path)]
    assert log[0] == log[1]


def test_the_scale_of_the_loss_is_resumed(tmp_path):
    """With an overflow in step 0, and a scale that grows every third step."""

    def scaled():
        model = compiled()
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(0.05), initial_scale=2.0**127, dynamic_growth_steps=3
        )
        model.compile(optimizer, "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    settings = LoopSettings(num_steps=9, evaluate_every=4)
    whole = Training(scaled(), BATCHES, settings, tmp_path / "a").train()
    with pytest.raises(KeyboardInterrupt):
        Training(
            scaled(), BATCHES, settings, tmp_path / "b", None, stop_after(1)
        ).train()
    resumed = Training(scaled(), BATCHES, settings, tmp_path / "b").train()
    assert 0 < int(whole.model.optimizer.iterations) < 9  # steps were skipped
    for one, other in zip(
        whole.model.variables + whole.model.optimizer.variables,
        resumed.model.variables + resumed.model.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_the_state_before_a_damaged_one_ends_the_same(whole, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        Training(compiled(), BATCHES, SETTINGS, tmp_path, None, stop_after(3)).train()
    (tmp_path / "state-00000021" / "optimizer.safetensors").write_bytes(b"")
    resumed = Training(compiled(), BATCHES, SETTINGS, tmp_path).train()
    output = capsys.readouterr()
    assert "state-00000021 is damaged" in output.err
    assert "Going on from step 14." in output.out
    for one, other in zip(whole.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_log_has_means_since_the_row_before(whole):
    steps = [row["step"] for row in whole.history]
    assert steps == list(range(1, 31))  # a point for each: fewer than a hundred
    names = {"step", "epoch", "loss", "mae"}
    assert all(row.keys() == names for row in whole.history)
    assert whole.history[-1]["epoch"] == 3.0


def test_a_row_is_the_mean_of_its_own_steps(tmp_path):
    """Not of all since `fit` began, as Keras gives it."""
    model = compiled(rate=1e-9)  # a loss is then a function of the batch alone
    model.layers[1].rate = 0.0
    rows = Training(model, BATCHES, LoopSettings(8, 4), tmp_path).train().history
    for row in rows:
        inputs, targets, _ = batch(row["step"] - 1)
        error = np.asarray(model(inputs)) - targets
        assert row["loss"] == pytest.approx(np.mean(error**2), rel=1e-4)
        assert row["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)


def test_patience_and_the_best_weights(tmp_path):
    held_out = HeldOut([1, 3, 2, 3, 9])
    settings = LoopSettings(30, 5, patience=2, keeps_best=True)
    seen = []
    training = Training(
        compiled(),
        BATCHES,
        settings,
        tmp_path,
        held_out,
        lambda t: seen.append(t.model.get_weights()[0].copy()),
    ).train()
    assert training.step == 20 and held_out.kept == 2
    assert training.best == {"step": 10, "score": 3, "scores": {"quality": 3}}
    np.testing.assert_array_equal(training.model.get_weights()[0], seen[1])
    assert np.abs(seen[3] - seen[1]).max() > 1e-3
    assert [row["dev_quality"] for row in training.history if "dev_quality" in row] == [
        1,
        3,
        2,
        3,
    ]


def test_a_loss_that_is_no_number(tmp_path):
    with pytest.raises(FloatingPointError, match="Expected a finite loss; at step"):
        Training(compiled(1e38), BATCHES, SETTINGS, tmp_path).train()


@pytest.mark.parametrize("name", ["num_steps", "evaluate_every", "patience"])
def test_settings_refuse_nothing(name):
    settings = {"num_steps": 3, "evaluate_every": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1; got 0"):
        LoopSettings(**settings)
