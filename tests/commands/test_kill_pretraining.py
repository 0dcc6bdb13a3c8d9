"""Killed with SIGKILL and resumed, `kbert pretrain` ends bit for bit where it would.

Kills of the real process: pytest -m slow -n0 tests/commands/test_kill_pretraining.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def kill(kills, steps):
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "benchmarks" / "kill_pretraining.py")),
            *("--kills", str(kills), "--steps", str(steps)),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_one_kill():
    assert kill(1, 60) == "1 of 1 ends are bit-identical"


@pytest.mark.slow
def test_ten_kills():
    assert kill(10, 200) == "10 of 10 ends are bit-identical"
