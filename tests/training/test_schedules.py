"""WarmupLinearDecay against its closed form."""

import keras
import numpy as np
import pytest

from kbert.training.schedules import WarmupLinearDecay


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_golden_values():
    schedule = WarmupLinearDecay(1.0, total_steps=10, warmup_steps=2)
    steps = [0, 1, 2, 5, 10, 11, 99]
    expected = [0, 0.5, 0.8, 0.5, 0, 0, 0]
    np.testing.assert_allclose(rates(schedule, steps), expected, atol=1e-7)


@pytest.mark.parametrize("warmup", [0, 1, 100, 1000])
def test_closed_form(warmup):
    schedule = WarmupLinearDecay(3e-4, 1000, warmup)
    steps = range(0, 1001, 7)
    expected = [3e-4 * (s / warmup if s < warmup else 1 - s / 1000) for s in steps]
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=2e-5, atol=1e-10)


def test_no_warmup_starts_at_the_peak():
    assert rates(WarmupLinearDecay(0.5, 4), [0, 1, 2]) == [0.5, 0.375, 0.25]


def test_config_round_trip():
    schedule = WarmupLinearDecay(0.5, 40, 3)
    serialized = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is WarmupLinearDecay
    assert again.get_config() == {
        "peak_learning_rate": 0.5,
        "total_steps": 40,
        "warmup_steps": 3,
    }


@pytest.mark.parametrize("total, warmup", [(0, 0), (10, -1), (10, 11)])
def test_errors(total, warmup):
    message = f"got total_steps={total}, warmup_steps={warmup}"
    with pytest.raises(ValueError, match=message):
        WarmupLinearDecay(1.0, total, warmup)
