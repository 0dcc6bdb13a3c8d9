"""Killed and resumed, a training ends where it would have ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from kbert.commands.finetune import finetune
from kbert.training.trainer import TrainingSettings

ROOT = Path(__file__).parents[2]
ARGUMENTS = {
    "task": "classification",
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "evaluate_every": 7,  # not a divisor of the 10 steps of an epoch
}


def command(train, dev, model, output, *more):
    words = [sys.executable, "-m", "kbert", "finetune", ARGUMENTS["task"]]
    words += ["--train", train, "--dev", dev, "--model", model, "--output", output]
    for name, value in ARGUMENTS.items():
        if name != "task":
            words += ["--" + name.replace("_", "-"), str(value)]
    return [*words, *more]


def test_a_killed_training_goes_on_to_the_same_result(model, files, tmp_path):
    train, dev = files
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    whole, output = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(
        command(train, dev, model, str(whole)),
        env=environment,
        capture_output=True,
        check=True,
    )
    running = subprocess.Popen(
        command(train, dev, model, str(output)),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    states = output.with_name("cut.unfinished") / "seed-0"
    deadline = time.monotonic() + 120
    while not any(states.glob("state-*/progress.json")):
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not output.exists()

    with pytest.raises(
        FileExistsError, match="there is .*cut.unfinished. Pass --resume"
    ):
        finetune(train, str(output), model=model, dev=dev, **ARGUMENTS)
    other = ARGUMENTS | {"epochs": 5}
    with pytest.raises(ValueError, match="epochs was 4, is 5. Go on with the same"):
        finetune(train, str(output), model=model, dev=dev, resume=True, **other)
    done = subprocess.run(
        command(train, dev, model, str(output), "--resume"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Going on from step" in done.stdout

    one, two = (load_file(str(d / "model.safetensors")) for d in (whole, output))
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)
    assert (whole / "log.csv").read_text() == (output / "log.csv").read_text()
    one, two = (json.loads((d / "run.json").read_text()) for d in (whole, output))
    assert one["seeds"] == two["seeds"] and one["dev"] == two["dev"]


def test_settings_count_steps():
    settings = TrainingSettings(epochs=3, batch_size=16)
    assert settings.steps(150) == 30
    assert settings.steps(16) == 3


@pytest.mark.parametrize("name", ["epochs", "batch_size", "evaluate_every", "patience"])
def test_settings_refuse_nothing(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; got 0"):
        TrainingSettings(**{name: 0})
