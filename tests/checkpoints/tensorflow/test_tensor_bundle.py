"""TensorFlow's checkpoint files by name: written, read, found."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from kbert.checkpoints.tensorflow.tensor_bundle import (
    TensorBundle,
    find_prefix,
    write_tensors,
)

TENSORS = {
    "b/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "a": np.int64(7),
    "b/kernel/adam_m": np.zeros((2, 3), "float32"),
}


def test_round_trip(tmp_path):
    write_tensors(TENSORS, tmp_path / "model.ckpt")
    bundle = TensorBundle(tmp_path / "model.ckpt")
    assert list(bundle) == ["a", "b/kernel", "b/kernel/adam_m"]
    assert bundle.shapes["b/kernel"] == (2, 3)
    for name, value in TENSORS.items():
        assert bundle[name].dtype == value.dtype
        assert np.array_equal(bundle[name], value)


def test_names_are_known_without_the_numbers(tmp_path):
    write_tensors(TENSORS, tmp_path / "model.ckpt")
    (tmp_path / "model.ckpt.data-00000-of-00001").unlink()
    bundle = TensorBundle(tmp_path / "model.ckpt")
    assert "a" in bundle
    assert "c" not in bundle
    assert len(bundle) == 3
    with pytest.raises(FileNotFoundError, match="data-00000-of-00001 is missing"):
        bundle["a"]
    with pytest.raises(KeyError):
        bundle["c"]


def test_a_part_of_several_is_missing(tmp_path):
    parts = [str(tmp_path / f"part_{i}") for i in range(2)]
    for part, name in zip(parts, ("x", "y")):
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=[name],
            shape_and_slices=[""],
            tensors=[tf.zeros(2)],
        )
    prefix = tmp_path / "whole"
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(prefix)
    )
    assert dict(TensorBundle(prefix)).keys() == {"x", "y"}
    (tmp_path / "whole.data-00001-of-00002").unlink()
    bundle = TensorBundle(prefix)
    assert np.array_equal(bundle["x"], np.zeros(2))
    with pytest.raises(FileNotFoundError, match="data-00001-of-00002 is missing"):
        bundle["y"]


def test_no_index(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a checkpoint in .*\.index"):
        TensorBundle(tmp_path / "model.ckpt")


def test_a_pointer_in_place_of_the_index(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9000\n"
    (tmp_path / "model.ckpt.index").write_text(text)
    with pytest.raises(ValueError, match="index of a checkpoint.*Copy or download"):
        TensorBundle(tmp_path / "model.ckpt")


def test_the_newest_of_several(tmp_path):
    assert find_prefix(tmp_path) is None
    write_tensors(TENSORS, tmp_path / "model.ckpt-1")
    assert find_prefix(tmp_path) == tmp_path / "model.ckpt-1"
    write_tensors(TENSORS, tmp_path / "model.ckpt-10")
    write_tensors(TENSORS, tmp_path / "model.ckpt-9")
    assert find_prefix(tmp_path) == tmp_path / "model.ckpt-9"
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "model.ckpt-9")
    shutil.move(tmp_path / "model.ckpt-9.index", tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="there are model.ckpt-1, model.ckpt-10"):
        find_prefix(tmp_path)


def test_tensorflow_is_not_needed_to_look(tmp_path):
    code = (
        "import sys\n"
        "from kbert.checkpoints.tensorflow.tensor_bundle import find_prefix\n"
        "find_prefix(sys.argv[1]); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
