"""The rows of training_log.csv, out of the finer ones of log.csv."""

import pytest

from kbert.training.pretraining import evaluation_rows


def test_means_since_the_evaluation_before():
    history = [
        {"step": 1, "epoch": 0.1, "loss": 4.0},
        {"step": 2, "epoch": 0.2, "loss": 2.0, "dev_loss": 3.5},
        {"step": 5, "epoch": 0.5, "loss": 1.0},
        {"step": 6, "epoch": 0.6, "loss": 5.0, "dev_loss": 2.5},
        {"step": 7, "epoch": 0.7, "loss": 9.0},
    ]
    assert evaluation_rows(history) == [
        {"step": 2, "loss": 3.0, "val_loss": 3.5},
        {"step": 6, "loss": pytest.approx((3 * 1 + 5) / 4), "val_loss": 2.5},
    ]
    assert evaluation_rows([]) == []
