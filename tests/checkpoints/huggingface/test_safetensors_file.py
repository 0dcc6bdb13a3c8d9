"""safetensors files: read as the library reads them, and refused when damaged."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kbert.checkpoints.huggingface.safetensors_file import SafetensorsFile

TENSORS = {
    "b": np.arange(6, dtype="float32").reshape(2, 3),
    "a": np.array(1.5, "float64"),
    "half": np.array([[0.5], [-2.0]], "float16"),
    "ids": np.arange(4, dtype="int64"),
    "none": np.zeros((0, 3), "float32"),
    "flag": np.array([True, False]),
    "codes": np.array([0, 1 << 15], "uint16"),
}


@pytest.fixture
def file(tmp_path):
    save_file(TENSORS, tmp_path / "m.safetensors", metadata={"format": "pt"})
    return tmp_path / "m.safetensors"


def rewritten(file, change):
    """The file with another header."""
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header = change(header) or header
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    return file


def test_equals_the_library(file):
    expected = load_file(file)
    tensors = SafetensorsFile(file)
    assert set(tensors) == set(expected) == set(TENSORS)
    assert len(tensors) == 7
    assert "b" in tensors
    assert "c" not in tensors
    with pytest.raises(KeyError, match="'c'"):
        tensors["c"]
    for name, value in expected.items():
        assert tensors[name].dtype == value.dtype
        assert tensors[name].shape == value.shape
        assert np.array_equal(tensors[name], value)


def test_bfloat16(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(ml_dtypes.bfloat16)
    save_file({"x": values}, tmp_path / "m.safetensors")
    x = SafetensorsFile(tmp_path / "m.safetensors")["x"]
    assert x.dtype == "float32"
    assert np.array_equal(x, values.astype("float32"))


@pytest.mark.parametrize("part", [0, 5, 8, 100, -1])
def test_cut_short(file, part):
    file.write_bytes(file.read_bytes()[:part])
    with pytest.raises(
        ValueError, match=r"whole safetensors file in .*m\.safeten.*download it again"
    ):
        SafetensorsFile(file)


def test_more_than_announced(file):
    file.write_bytes(file.read_bytes() + b"\0")
    size = file.stat().st_size
    with pytest.raises(ValueError, match=f"it has {size} bytes: .*not fully covered"):
        SafetensorsFile(file)


def test_a_git_lfs_pointer(file):
    file.write_text("version https://git-lfs.example/spec/v1\noid sha256:0\nsize 5\n")
    with pytest.raises(ValueError, match="Git LFS pointer: fetch with git lfs pull"):
        SafetensorsFile(file)


@pytest.mark.parametrize("bit", range(64))
def test_a_flipped_bit_of_the_length(file, bit):
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << (bit % 8)
    file.write_bytes(data)
    with pytest.raises(ValueError, match="Expected a whole safetensors file"):
        SafetensorsFile(file)


def test_flipped_bits_of_the_header_are_told_or_do_no_harm(file):
    whole = file.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(0)
    told = 0
    for place in rng.integers(8, 8 + length, 300):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        try:
            tensors = SafetensorsFile(file)
            for name in tensors:  # as another name, or in another shape of that size
                tensors[name]
        except ValueError as error:
            assert "m.safetensors" in str(error)
            told += 1
    assert told > 200


def change(name, **fields):
    return lambda header: header[name].update(fields)


@pytest.mark.parametrize(
    "lie",
    [
        change("b", data_offsets=[0, 10**15]),
        change("b", data_offsets=[-8, 16]),
        change("b", data_offsets=[24, 0]),
        change("b", data_offsets="all"),
        change("b", shape=[10**9, 10**9]),
        change("b", shape=[2, -3]),
        change("b", shape=[2.0, 3]),
        change("b", shape=None),
        change("b", dtype="F64"),
        change("b", dtype="F99" * 1000),
        change("b", data_offsets=[0, 8], shape=[2]),  # overlapping
        lambda header: header.pop("b") and None,
        lambda header: {"b": [1, 2]},
        lambda header: [1, 2],
        lambda header: b"{",
        lambda header: b"\xff\xfe",
        lambda header: b"[" * 20000,
    ],
)
def test_a_header_that_lies(file, lie):
    with pytest.raises(ValueError, match="Expected a whole safetensors file in"):
        SafetensorsFile(rewritten(file, lie))


def test_a_dtype_that_numpy_lacks(file):
    tensors = SafetensorsFile(
        rewritten(file, change("half", dtype="F8_E4M3", shape=[4]))
    )
    tensors["b"]
    with pytest.raises(ValueError, match="16 to 64 bits in .*; half is F8_E4M3"):
        tensors["half"]


def test_a_file_cut_after_it_was_opened(file):
    tensors = SafetensorsFile(file)
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match="it ends inside"):
        dict(tensors)
