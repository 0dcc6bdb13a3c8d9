"""The core runs on JAX where TensorFlow cannot be imported."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# What computes with Keras; what is NumPy alone gives the same under every backend.
_MORE_MODELS = ("lora", "surgery", "hidden_states", "token_classifier", "text_vectors")
PARTS = {
    "models": sorted(
        f"models/{path.name}"
        for path in (TESTS / "models").glob("test_*.py")
        if not path.stem.endswith(_MORE_MODELS)
    ),
    "more models": [f"models/test_{name}.py" for name in _MORE_MODELS],
    "layers, metrics, training": [
        "test_config.py",
        "layers",
        "metrics/test_classification.py",
        "metrics/test_correlation.py",
        "training/test_schedules.py",
        "training/test_optimizers.py",
        "training/test_lamb.py",
    ],
}
SLOW = {"more models": pytest.mark.slow}
ALL = ("config", "features", "layers", "metrics", "models", "pretraining")
# As where it is not installed, for whoever asks, importlib included.
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_text"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import gc, importlib
gc.set_threshold(50_000, 20, 20)
for name in sys.argv[1].split():
    importlib.import_module(name)
import pytest
code = pytest.main(["-q", "-n0", "-p", "no:cacheprovider", *sys.argv[2:]])
assert "tensorflow" not in sys.modules
sys.exit(code)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="jax is not installed: pip install 'kbert[test]'",
)
@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=SLOW.get(part, ())) for part in PARTS],
)
def test_the_core_runs_on_jax_without_tensorflow(part, tmp_path):
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {
        "PYTHONPATH": path,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Nearly all of the time is compiling, of what then runs once.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM, " ".join(modules_of_the_core())),
            *(str(TESTS / tests) for tests in PARTS[part]),
        ],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def modules_of_the_core():
    """Dotted names; each must be importable without TensorFlow."""
    package = TESTS.parent / "kbert"
    files = [path for part in ALL for path in package.glob(f"{part}/*.py")]
    files += [path for part in ALL for path in package.glob(f"{part}.py")]
    assert len(files) > 20
    names = (path.relative_to(package.parent).with_suffix("").parts for path in files)
    return sorted(".".join(parts) for parts in names)
