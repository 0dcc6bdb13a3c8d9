"""The core runs on JAX where TensorFlow cannot be imported."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CORE = [
    "test_config.py",
    "layers",
    "metrics",
    "models",
    "pretraining",
    "training/test_schedules.py",
    "training/test_optimizers.py",
]
# As where it is not installed, for whoever asks, importlib included.
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_text"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import pytest
code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
assert "tensorflow" not in sys.modules
sys.exit(code)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="jax is not installed: pip install 'kbert[test]'",
)
def test_the_core_runs_on_jax_without_tensorflow(tmp_path):
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {"PYTHONPATH": path, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(str(TESTS / part) for part in CORE)],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
