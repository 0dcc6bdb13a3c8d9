"""Files of torch.save read as torch reads them, and nothing else is read or run."""

import ast
import builtins
import copyreg
import io
import itertools
import os
import pickle
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from safetensors.numpy import save_file

from kbert.checkpoints.huggingface import torch_file, torch_pickle
from kbert.checkpoints.huggingface.torch_file import read_torch_file

DATA = Path(__file__).parents[2] / "data"
LAYOUTS = ("zip", "legacy")
FLOAT = b"ctorch\nFloatStorage\n"
ORDERED_DICT = b"ccollections\nOrderedDict\n"
NUMBERS = np.arange(6, dtype="<f4")


def op(value):
    """The instructions that make a value; bytes are instructions already."""
    match value:
        case bytes():
            return value
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(op, value)) + b"t"
        case list():
            return b"](" + b"".join(map(op, value)) + b"e"
        case dict():
            items = itertools.chain.from_iterable(value.items())
            return b"}(" + b"".join(map(op, items)) + b"u"


def storage(kind=FLOAT, key="0", count=6, *part):
    return op(("storage", kind, key, "cpu", count, *part)) + b"Q"


def tensor(size=(2, 3), stride=(3, 1), offset=0, of=None, hooks=ORDERED_DICT + b")R"):
    arguments = (storage() if of is None else of, offset, size, stride, False, hooks)
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + op(arguments) + b"R"


def write_zip(path, value, numbers=NUMBERS, **more):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("my_model/data.pkl", b"\x80\x02" + op(value) + b".")
        archive.writestr("my_model/data/0", numbers.tobytes())
        for name, content in more.items():
            archive.writestr(f"my_model/{name}", content)
    return path


def write_legacy(path, value, numbers=NUMBERS, keys=("0",), count=6, little=True):
    machine = {"protocol_version": 1001, "little_endian": little}
    parts = (0x1950A86A20F9469CFC6C.to_bytes(10, "little"), 1001, machine, value)
    parts = (b"\x8a\x0a" + parts[0], *parts[1:], list(keys))
    head = b"".join(b"\x80\x02" + op(part) + b"." for part in parts)
    path.write_bytes(head + struct.pack("<q", count) + numbers.tobytes())
    return path


WRITERS = {"zip": write_zip, "legacy": write_legacy}


def read(path):
    """Reads every tensor and asserts that nothing is imported on the way.

    A pickle that runs begins with an import.
    """
    b"a".decode("cp437")  # of zips; Python imports it at its first use
    imported, real = [], builtins.__import__

    def record(name, *arguments, **keywords):
        imported.append(name)
        return real(name, *arguments, **keywords)

    with mock.patch("builtins.__import__", record):
        try:
            tensors = read_torch_file(path)
            for name in tensors:
                tensors[name]
        finally:
            assert imported == []
    return tensors


def assert_same(tensors, expected):
    assert list(tensors) == list(expected) and len(tensors) == len(expected)
    for name in expected:
        assert tensors[name].dtype == expected[name].dtype, name
        np.testing.assert_array_equal(tensors[name], expected[name], name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_golden(layout):
    tensors = read(DATA / f"torch_{layout}.bin")
    assert_same(tensors, dict(np.load(DATA / "torch_expected.npz")))
    assert tensors["bfloat16"].dtype == np.float32
    assert "absent" not in tensors
    with pytest.raises(KeyError, match="absent"):
        tensors["absent"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_belong_to_the_caller(layout):
    tensors = read(DATA / f"torch_{layout}.bin")
    before = tensors["0.weight"].copy()
    for name in ("0.weight", "tied", "transposed", "rows"):
        tensors[name][:] = 0
    np.testing.assert_array_equal(tensors["0.weight"], before)
    assert not tensors["repeated"].flags.writeable
    assert tensors["position_ids"].flags.writeable


def test_tensors_are_read_when_asked_for(tmp_path):
    path = write_zip(tmp_path / "a.bin", {"a": tensor()})
    tensors = read_torch_file(path)
    path.write_bytes(path.read_bytes()[:300])
    assert list(tensors) == ["a"]
    path.write_bytes(path.read_bytes()[:130])
    with pytest.raises(ValueError, match="Expected a in .*; the file has shrunk"):
        tensors["a"]
    path.unlink()
    with pytest.raises(FileNotFoundError, match="a.bin"):
        read_torch_file(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_forms_of_older_versions(layout, tmp_path):
    """Pairs of Python 2, the first rebuild function, parts, bytes as names."""
    half = storage(FLOAT, "0", 6, ("1", 2, 4))
    first = b"ctorch._utils\n_rebuild_tensor\n" + op((half, 1, (3,), (1,))) + b"R"
    pairs = [["a", first], [b"U\x0cLayerNorm.b\xe9", tensor()]]
    value = ORDERED_DICT + b"(" + op(pairs) + b"tR" + op({"_metadata": {}}) + b"b"
    tensors = read(WRITERS[layout](tmp_path / "a.bin", value))
    assert_same(tensors, {"a": NUMBERS[3:], "LayerNorm.bé": NUMBERS.reshape(2, 3)})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "name", ["state_dict", "model_state_dict", "model", "module", "net"]
)
def test_state_dict_one_level_down(layout, name, tmp_path):
    value = {"epoch": 3, "rate": b"G" + struct.pack(">d", 0.5), name: {"a": tensor()}}
    tensors = read(WRITERS[layout](tmp_path / "a.bin", value))
    assert_same(tensors, {"a": NUMBERS.reshape(2, 3)})


def test_plain_values_beside_the_tensors_are_left_out(tmp_path):
    value = {
        "a": tensor(),
        "size": b"ctorch\nSize\n" + op(((2, 3),)) + b"R",
        "device": b"ctorch\ndevice\n" + op(("cuda", 0)) + b"R",
        "dtype": b"ctorch\nfloat32\n",
        "steps": [1, None, True, {"x": ()}],
    }
    assert list(read(write_zip(tmp_path / "a.bin", value))) == ["a"]


def random_state_dict(torch, rng):
    tensors = {}
    for i in range(rng.randint(1, 12)):
        names = "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool"
        dtype = getattr(torch, rng.choice(f"{names} uint16 uint32 uint64".split()))
        shape = [rng.randint(0, 5) for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.7:
            shape = [max(n, 1) for n in shape]
        value = (torch.randn(shape) * 50).abs().to(dtype)
        if tensors and rng.random() < 0.3:
            value = rng.choice(list(tensors.values()))
        for axis in range(value.dim()):
            change = rng.random()
            if change < 0.3 and value.shape[axis] > 1:
                value = value.narrow(axis, 1, value.shape[axis] - 1)
            elif change < 0.5:
                value = value[(slice(None),) * axis + (slice(None, None, 2),)]
            elif change < 0.7:
                value = value.transpose(axis, 0)
        if rng.random() < 0.2:
            value = value.unsqueeze(0).expand(3, *value.shape)
        if value.is_floating_point() and rng.random() < 0.2:
            value = torch.nn.Parameter(value)
        tensors[f"layer.{i}.weight"] = value
    return tensors


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_torch_saves_what_is_read(layout, protocol, tmp_path):
    torch = pytest.importorskip("torch")
    rng = random.Random(7)
    torch.manual_seed(7)
    for i in range(60):
        state_dict, path = random_state_dict(torch, rng), tmp_path / f"{i}.bin"
        torch.save(
            {"state_dict": state_dict, "epoch": i} if i % 3 == 0 else state_dict,
            path,
            _use_new_zipfile_serialization=layout == "zip",
            pickle_protocol=protocol,
        )
        expected = {
            name: (t.float() if t.dtype == torch.bfloat16 else t).detach().numpy()
            for name, t in state_dict.items()
        }
        assert_same(read(path), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transformers_saves_what_is_read(layout, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=20, intermediate_size=16, **sizes)
    model = transformers.BertForPreTraining(config)
    path = tmp_path / "pytorch_model.bin"
    is_zip = layout == "zip"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=is_zip)
    expected = {name: t.numpy() for name, t in model.state_dict().items()}
    assert_same(read(path), expected)
    torch.save(model, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match="BertForPreTraining is not a tensor"):
        read(path)


# What a file must not do


def attacks(marker):
    """Instructions that make a file where a reader runs them -> what is refused."""
    command = op(f"echo > {marker}")
    system = f"{os.system.__module__}.system"
    module = system.split(".")[0].encode()
    named = b"c" + module + b"\nsystem\n"
    on_stack = op(module.decode()) + op("system") + b"\x93"
    code = op(f"open({str(marker)!r}, 'w')")
    return {
        "GLOBAL": (named + b"(" + command + b"tR", system),
        "STACK_GLOBAL": (on_stack + b"(" + command + b"tR", system),
        "INST": (b"(" + command + b"i" + module + b"\nsystem\n", system),
        "OBJ": (b"(" + named + command + b"o", system),
        "NEWOBJ": (named + b"(" + command + b"t\x81", system),
        "NEWOBJ_EX": (named + b"(" + command + b"t}\x92", system),
        # Extension 240 is subprocess.getoutput, see below.
        "EXT1": (b"\x82\xf0(" + command + b"tR", "extension 240"),
        "EXT2": (b"\x83\xf0\x00(" + command + b"tR", "extension 240"),
        "EXT4": (b"\x84\xf0\x00\x00\x00(" + command + b"tR", "extension 240"),
        "eval": (b"cbuiltins\neval\n(" + code + b"tR", "builtins.eval"),
        "__reduce__": (pickle.dumps(Reduced(marker), 2)[2:-1], system),
        "__reduce__ 4": (pickle.dumps(Reduced(marker), 4)[2:-1], system),
    }


class Reduced:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"echo > {self.marker}",)


@pytest.fixture
def extension():
    copyreg.add_extension("subprocess", "getoutput", 240)
    yield
    copyreg.remove_extension("subprocess", "getoutput", 240)


ATTACKS = list(attacks("marker"))


@pytest.mark.parametrize(
    "attack", sorted(set(ATTACKS) - {"OBJ", "INST", "NEWOBJ", "NEWOBJ_EX"})
)
def test_attacks_are_real(attack, extension, tmp_path):
    """os.system is no class, so four of them fail in pickle too, once imported."""
    marker = tmp_path / "marker"
    pickle.loads(b"\x80\x04" + attacks(marker)[attack][0] + b".")
    assert marker.exists()


PLACES = {
    "alone": lambda attack: attack,
    "value": lambda attack: {"a": tensor(), "b": attack},
    "name": lambda attack: {attack: tensor()},
    "argument": lambda attack: {"a": tensor(hooks=attack)},
    "storage": lambda attack: {"a": tensor(of=attack)},
    "storage's type": lambda attack: {"a": tensor(of=storage(attack))},
    "attribute": lambda attack: op({"a": tensor()}) + op({"_metadata": attack}) + b"b",
    "thrown away": lambda attack: attack + b"0" + op({"a": tensor()}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_run(attack, place, extension, tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "pytorch_model.bin"
    instructions, refused = attacks(marker)[attack]
    value = PLACES[place](instructions)
    with pytest.raises(ValueError, match=f"{refused} is not a tensor"):
        read(write_zip(path, value))
    with pytest.raises(ValueError, match=f"{refused} is not a tensor"):
        read(write_legacy(path, value))
    path.write_bytes(b"\x80\x04" + op(value) + b".")
    with pytest.raises(ValueError, match=f"{refused} is not a tensor"):
        read(path)
    assert not marker.exists()


def test_no_unpickler_is_at_hand():
    for module in (torch_file, torch_pickle):
        tree = ast.parse(Path(module.__file__).read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
                assert not names & {"pickle", "torch", "importlib", "runpy"}
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            assert not called or node.func.id not in {"eval", "exec", "__import__"}


# Damaged files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cut_files_are_refused(layout, tmp_path):
    whole, path = (DATA / f"torch_{layout}.bin").read_bytes(), tmp_path / "a.bin"
    for length in (*range(0, len(whole), 50), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"Expected weights .*{path.name}"):
            read(path)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_flipped_bits_are_refused_or_change_numbers(layout, seed, tmp_path):
    whole, path = (DATA / f"torch_{layout}.bin").read_bytes(), tmp_path / "a.bin"
    rng, refused = random.Random(seed), 0
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3, 10))):
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            read(path)
        except ValueError as error:
            assert str(error).startswith("Expected")
            refused += 1
    assert refused > 50


UINT16 = b"ctorch\nuint16\n"
UNTYPED = b"ctorch.storage\nUntypedStorage\n"
V3 = b"ctorch._utils\n_rebuild_tensor_v3\n"
V2 = b"ctorch._utils\n_rebuild_tensor_v2\n"
PARAMETER = b"ctorch._utils\n_rebuild_parameter\n"
LIES = {
    "tensor larger than its storage": (
        tensor((2, 4), (4, 1)),
        "the storage 0 ends after 24 bytes; a tensor in it needs 32",
    ),
    "offset": (tensor((2, 3), (3, 1), 1), "a tensor in it needs 28"),
    "stride": (tensor((2, 3), (4, 1)), "a tensor in it needs 28"),
    "negative size": (tensor((-2, -3), (3, 1)), "a size that cannot be"),
    "negative stride": (tensor((2,), (-1,), 5), "a size that cannot be"),
    "negative offset": (tensor((2,), (1,), -1), "a size that cannot be"),
    "overflow": (tensor((1 << 32, 1 << 32), (0, 0)), "a size that cannot be"),
    "overflow of bytes": (tensor((1 << 61,), (0,)), "a size that cannot be"),
    "overflow, empty": (tensor((0, 1 << 62), (1, 1)), "a size that cannot be"),
    "huge": (tensor((1 << 70,), (1,)), "a size that cannot be"),
    "bool as size": (tensor((True,), (1,)), "a size that cannot be"),
    "rank": (tensor((1,) * 33, (1,) * 33), "without a proper size and stride"),
    "size and stride": (tensor((2, 3), (1,)), "without a proper size and stride"),
    "size as list": (tensor([2], [1]), "without a proper size and stride"),
    "negative storage": (tensor(of=storage(count=-6)), "sizes that cannot be"),
    "no storage": (tensor(of=b"N"), "a tensor without a storage"),
    "part": (tensor(of=storage(FLOAT, "0", 6, ("1", 4, 4))), "sizes that cannot be"),
    "part of two": (tensor(of=storage(FLOAT, "0", 6, ("1", 4))), "a part of a storage"),
    "part too small": (
        tensor(of=storage(FLOAT, "0", 6, ("1", 4, 2))),
        "the storage 0 ends after 8 bytes; a tensor in it needs 24",
    ),
    "other sizes": (
        [tensor(), tensor((1,), (1,), 0, storage(count=5))],
        "the storage 0 has two sizes",
    ),
    "other dtype": (
        [tensor(), tensor((1,), (1,), 0, storage(UINT16))],
        "a storage that is none",
    ),
    "module": (op(("module", FLOAT, "a.py", "", 1)) + b"Q", "a storage that is none"),
    "reference": (op("0") + b"Q", "a storage has 5 or 6 parts"),
    "negated": (
        V2 + op((storage(), 0, (), (), False, None, {"neg": True})) + b"R",
        "neg",
    ),
    "no dtype": (
        V3 + op((storage(), 0, (), (), False, None, 1)) + b"R",
        "without a dtype",
    ),
    "arguments": (V2 + op((storage(), 0)) + b"R", "too few or many arguments"),
    "arguments as list": (
        V2 + op([storage(), 0]) + b"R",
        "arguments that are no tuple",
    ),
    "parameter": (PARAMETER + op((1, True, None)) + b"R", "without a tensor"),
    "call of a storage": (FLOAT + b")R", "what is no function"),
    "new object": (ORDERED_DICT + b")\x81", "the pickle instruction NEWOBJ"),
    "pairs": (
        ORDERED_DICT + op(((("a", 1),),)) + b"R",
        "an ordered dict without pairs",
    ),
    "pair": (ORDERED_DICT + op(([["a", 1, "b", 2]],)) + b"R", "a pair that is none"),
    "attributes": (
        tensor() + op({"grad": None}) + b"b",
        "attributes to what is no dict",
    ),
    "sparse": (b"ctorch._utils\n_rebuild_sparse_tensor\n", "not a tensor of a kind"),
    "control": (
        b"cos\n" + b"\x1b" * 200 + b"\n",
        r"os\.(\\x1b){97} is not a tensor, and",
    ),
    "UTF-8": (b"cos\n\xff\n", "text that is no UTF-8"),
    "storage's key": (tensor(of=storage(FLOAT, "\x1b")), "a storage that is none"),
    "key": (op({(1, 2): 3}), "keys that are neither text nor numbers"),
    "no list": (op({}) + op(1) + b"a", "items for what is no list"),
    "no dict": (op([]) + op(1) + op(1) + b"s", "items for what is no dict"),
    "odd": (b"}(" + op("a") + b"u", "items for what is no dict"),
    "memo": (b"h\x07", "no value 7"),
    "loop": (b"]q\x00h\x00a", "deeper than 32, or without an end"),
    "nesting": (b"]" * 40 + b"a" * 39, "deeper than 32, or without an end"),
    "tuples": (b")" + b"\x85" * 40, "deeper than 32, or without an end"),
    "marks": (b"(" * 40 + b"t" * 40, "nests deeper than 32"),
    "missing value": (b"(\x85", "a value is missing"),
    "missing mark": (b"t", "a value is missing"),
    "name": (b"NN\x93", "a name is no text"),
    "escape": (b"ccollections\nOrdered\\x44ict\n", "is not a tensor, and nothing"),
    "text": (b"S'\\q'\n", "the pickle instruction STRING"),
    "no instruction": (b"\xff", "is no instruction"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lie", LIES)
def test_lies_are_refused(lie, layout, tmp_path):
    value, message = LIES[lie]
    path = WRITERS[layout](tmp_path / "a.bin", {"a": value, "b": tensor()})
    with pytest.raises(ValueError, match=message):
        read(path)


def test_long_pickles_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_pickle, "MAX_INSTRUCTIONS", 100)
    path = write_zip(tmp_path / "a.bin", [None] * 101)
    with pytest.raises(ValueError, match="more than 100 instructions"):
        read(path)
    monkeypatch.setattr(torch_file, "MAX_BYTES", 50)
    with pytest.raises(ValueError, match=r"data.pkl takes \d+ bytes"):
        read(path)


BOMBS = {
    "LONG_BINPUT": (b"Nr\xff\xff\xff\xff", None),
    "BINUNICODE": (b"X\xff\xff\xff\xffa", "but only 2 remain"),
    "BINUNICODE8": (b"\x8d\0\0\0\0\0\0\0\x01a", "but only 2 remain"),
    "BINBYTES": (b"B\xff\xff\xff\xffa", "but only 2 remain"),
    "BINBYTES8": (b"\x8e\0\0\0\0\x02\0\0\0a", "but only 2 remain"),
    "BYTEARRAY8": (b"\x96\0\0\0\0\x02\0\0\0a", "but only 2 remain"),
    "LONG4": (b"\x8b\xff\xff\xff\x7fa", "not enough data in stream"),
    "FRAME": (b"\x95\0\0\0\0\0\x01\0\0N", None),
    "NEXT_BUFFER": (b"\x97", "the pickle instruction NEXT_BUFFER"),
    "DUP": (b")" + b"2\x86" * 60, "the pickle instruction DUP"),
    "shared tuples": (b")q\0" + b"h\0h\0\x86q\0" * 60, "nests deeper than 32"),
    "FROZENSET": (
        b"(" + b")q\0" + b"h\0h\0\x86q\0" * 30 + b"\x91",
        "the pickle instruction FROZENSET",
    ),
    "key of shared tuples": (
        b")q\0" + b"h\0h\0\x86q\0" * 30 + b"}h\0Ns",
        "keys that are neither text nor numbers of 64 bits",
    ),
    "attributes by BUILD": (
        ORDERED_DICT + op({"__call__": 1}) + b"b",
        "what is no dict",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_pickle_asks_for_little_memory_and_time(bomb):
    content, refused = BOMBS[bomb]
    stream = io.BytesIO(b"\x80\x04" + content + b".")
    start = time.process_time()
    tracemalloc.start()
    try:
        if refused is None:
            assert torch_pickle.read_pickle(stream).value is None
        else:
            with pytest.raises(ValueError, match=refused):
                torch_pickle.read_pickle(stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 18
    assert time.process_time() - start < 1


def test_numbers_that_share_a_hash_are_no_keys():
    """60,000 of them took 17 s to put into a dict, twice as many four times that."""
    keys = ((i * ((1 << 61) - 1)).to_bytes(11, "little") for i in range(60_000))
    pickled = b"}(" + b"".join(b"\x8a\x0b" + key + b"N" for key in keys) + b"u."
    with pytest.raises(ValueError, match="neither text nor numbers of 64 bits"):
        torch_pickle.read_pickle(io.BytesIO(pickled))
    kept = {0: None, -(1 << 62): None, (1 << 63) - 1: None}
    stream = io.BytesIO(pickle.dumps(kept, 2))
    assert torch_pickle.read_pickle(stream).value == kept


def test_name_without_end():
    with pytest.raises(ValueError, match="it ends in a name"):
        torch_pickle.read_pickle(io.BytesIO(b"ccollections\nOrderedDict"))


def test_one_list_makes_one_ordered_dict(tmp_path):
    """Else 4 instructions would double a list of a million pairs, time and again."""
    pairs = op([["a", tensor()]]) + b"q\x09"
    again = ORDERED_DICT + b"h\x09\x85R"
    value = [ORDERED_DICT + pairs + b"\x85R", again]
    data = b"\x80\x02" + op(value) + b"."
    first, second = torch_pickle.read_pickle(io.BytesIO(data)).value
    assert list(first) == ["a"] and second == {}


OTHER_KINDS = {
    b"": "the file is empty: copy or download it again",
    bytes(4096): "the file is empty: copy or download it again",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 440\n": (
        "run `git lfs pull` in its directory, or download the file itself"
    ),
    b"\n<!DOCTYPE html><html>404</html>": "the file is a web page: copy or download",
    b"it was the best of times": "begins like no file of torch.save",
    b"\x1f\x8b\x08\x00": "begins like no file of torch.save",
    bytes([1] * 257) + b"ustar": "a tar of PyTorch 0.1",
    pickle.dumps({"a": 1}, 2): "a pickle, but not one of torch.save's",
    pickle.dumps([1.5, None], 4): "a pickle, but not one of torch.save's",
    pickle.dumps(np.zeros(3), 2): "is not a tensor, and nothing else is read",
}


@pytest.mark.parametrize("content", OTHER_KINDS)
def test_other_kinds_of_files(content, tmp_path):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=OTHER_KINDS[content]) as error:
        read(path)
    assert str(error.value).startswith("Expected weights that torch.save wrote in /")


def test_safetensors(tmp_path):
    save_file({"a": NUMBERS}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="name it model.safetensors"):
        read(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_state_dict(layout, tmp_path):
    path = tmp_path / "a.bin"
    with pytest.raises(ValueError, match="it holds a list, not a state dict"):
        read(WRITERS[layout](path, [tensor()]))
    with pytest.raises(ValueError, match="no tensors, neither at the top nor under"):
        read(WRITERS[layout](path, {"optimizer": {"a": tensor()}}))
    with pytest.raises(ValueError, match="no tensors, neither at the top nor under"):
        value = {"state_dict": {"state_dict": {"a": tensor()}}}
        read(WRITERS[layout](path, value))
    with pytest.raises(ValueError, match="no tensors, neither at the top nor under"):
        read(WRITERS[layout](path, {"a": {"a": tensor()}, "b": {"a": tensor()}}))
    with pytest.raises(ValueError, match="tensors whose names are no text"):
        read(WRITERS[layout](path, {1: tensor()}))


def test_zip_that_torch_would_not_write(tmp_path):
    path, value = tmp_path / "a.bin", {"a": tensor()}
    with pytest.raises(ValueError, match="big-endian: load and save it"):
        read(write_zip(path, value, byteorder=b"big"))
    with pytest.raises(ValueError, match="a TorchScript program"):
        read(write_zip(path, value, **{"constants.pkl": b""}))
    with pytest.raises(ValueError, match="should have 28 bytes and has 24"):
        read(write_zip(path, {"a": tensor(of=storage(count=7))}))
    with pytest.raises(ValueError, match="the storage 5 is not in the zip"):
        read(write_zip(path, {"a": tensor(of=storage(FLOAT, "5", 6))}))
    with pytest.raises(ValueError, match="the storage ../../x is not in the zip"):
        read(write_zip(path, {"a": tensor(of=storage(FLOAT, "../../x"))}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"")
    with pytest.raises(ValueError, match="no archive/data.pkl, or more than one"):
        read(path)
    write_zip(path, value)
    with (
        zipfile.ZipFile(path, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("my_model/data/0", bytes(24))
    with pytest.raises(ValueError, match="two entries of one name"):
        read(path)


def test_compressed_zip(tmp_path):
    """A bomb: 64 kB that would unpack to 64 MB, were it unpacked."""
    path = tmp_path / "a.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 26))
    with pytest.raises(ValueError, match="without compression"):
        read(path)


@pytest.mark.parametrize(
    "field, value, message",
    [
        (10, 8, "is compressed or encrypted"),
        (8, 1, "is compressed or encrypted"),
        (24, 5, "is compressed or encrypted"),
        (42, 10_000, "is outside the file"),
        (42, 1, "is not where the zip's list says"),
        (6, 99, "the zip is damaged .zip file version"),
    ],
)
def test_zip_directory_that_lies(field, value, message, tmp_path):
    """Fields of the central directory: method, flags, size, offset, version."""
    path = write_zip(tmp_path / "a.bin", {"a": tensor()})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, entry + field, value)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_legacy_that_torch_would_not_write(tmp_path):
    path, value = tmp_path / "a.bin", {"a": tensor()}
    with pytest.raises(ValueError, match="big-endian: load and save it"):
        read(write_legacy(path, value, little=False))
    with pytest.raises(ValueError, match="should have 24 bytes and has 20"):
        read(write_legacy(path, value, count=5))
    with pytest.raises(ValueError, match="should have 24 bytes and has -4"):
        read(write_legacy(path, value, count=-1))
    with pytest.raises(ValueError, match="the file ends within the storage 0: copy"):
        read(write_legacy(path, value, numbers=NUMBERS[:5]))
    for keys in ((), ("1",), ("0", "0"), ("0", "1")):
        with pytest.raises(ValueError, match="list of storages is not that of the"):
            read(write_legacy(path, value, keys=keys))
    with pytest.raises(ValueError, match="the list of storages is damaged"):
        read(write_legacy(path, value, keys=(0,)))
