"""What several rooms' tests share: the cores, a small model, files, exported models.

Imports stand inside: the tests of the core run on JAX, without TensorFlow.
"""

import functools
import gc
import os

import pytest

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:
    # One core per worker and its child processes, set before NumPy and TensorFlow are
    # imported: most of a test's time is tracing, which has one thread anyway.
    for name in (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "RAYON_NUM_THREADS",
    ):
        os.environ.setdefault(name, "1")
    # Tracing makes millions of objects that live on: looking through them for cycles
    # seventy times less often saves 5 % of the time.
    gc.set_threshold(50_000, 20, 20)
    # Workers share a GPU where there is one.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One worker per core and at most four: each grows to 2.5 GB."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return min(os.cpu_count() or 1, 4)


def pytest_collection_modifyitems(items):
    """The longest test starts first, so that it is not the one that all wait for."""
    items.sort(key=lambda item: item.path.name != "test_jax_backend.py")


TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "good", "bad"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The directory of a model with random weights: 2 layers, D=32, 20 positions."""
    import keras

    import kbert

    keras.utils.set_random_seed(0)
    backbone = kbert.BertBackbone(
        len(TOKENS), 2, 2, 32, 64, max_sequence_length=20, initializer_range=0.1
    )
    directory = tmp_path_factory.mktemp("model") / "model"
    tokenizer = kbert.ReferenceTokenizer(TOKENS)
    kbert.save(kbert.BertPretrainer(backbone), directory, tokenizer)
    return str(directory)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A training file of 150 rows and a dev file of 31."""
    from small_files import rows, write

    directory = tmp_path_factory.mktemp("files")
    train = write(directory / "train.tsv", ("text", "label"), rows(150))
    return train, write(directory / "dev.tsv", ("text", "label"), rows(31, seed=1))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A kind of `small_models` -> its version directory, SAVED_MODELS/KIND/1.

    Made once for all workers, by the first that asks.
    """
    import filelock
    import small_models

    import kbert

    if IS_WORKER:
        path = tmp_path_factory.getbasetemp().parent / "exported"
        path.mkdir(exist_ok=True)
    else:
        path = tmp_path_factory.mktemp("exported")

    @functools.cache
    def version(kind):
        made = path / "saved_models" / kind / "1"
        with filelock.FileLock(path / f"{kind}.lock"):
            if not made.exists():  # appears whole: it is written aside and renamed
                directory = small_models.KINDS[kind](path / "models" / kind)
                kbert.export_saved_model(str(directory), str(path / "saved_models"))
        return made

    return version
