"""What a PyTorch pickle says of its tensors, found out without running it.

A pickle is a program for a machine with a stack, and one of its instructions calls any
function by name. Here only the instructions that `torch.save` writes for a state dict
are followed, and the names that it uses stand for records, not for functions:

    GLOBAL torch._utils._rebuild_tensor_v2, its arguments, REDUCE ->
        StoredTensor(storage, dtype="float32", start=0, size=(3, 2), stride=(2, 1))

Nothing is imported or called and no tensor is read. Any other name or instruction is
refused where it is met. Only names that `torch.save` gives to what a published BERT
holds are known: no sparse, quantized or complex tensors, no optimizers, no modules.

`pickle.Unpickler` with an allow-list in `find_class` would be shorter, but it guards
names alone. Measured with Python 3.11, in time and memory that a file can take:

    LONG_BINPUT to place 2^26, 9 bytes in all   1 GB, more for higher places
    16 MB of empty dicts                        1.3 GB, for it counts no instructions
    a set with a tuple of tuples, 190 bytes     7 s, doubled by each 5 bytes more
    EXT1 of an extension that was used before   its function, without `find_class`

Here they take 0, 69 and 0 MB, less than 4 seconds, and no function.
"""

import dataclasses
import io
import math
import pickletools

import numpy as np

# As torch calls it -> as numpy stores it. Numpy has no bfloat16: its bits come as u2.
DTYPES = {
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float64": "<f8",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint8": "|u1",
    "bool": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
}
# The state dict of a BERT takes 40 kB and 10 000 instructions, nested 4 deep.
MAX_BYTES = 1 << 24
MAX_INSTRUCTIONS = 1_000_000
MAX_DEPTH = 32

_MAX_RANK = 32  # of numpy 1
_STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.DoubleStorage": "float64",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": "uint8",  # of uint16 and wider, counted in bytes
}
_OPCODES = {op.code.encode("latin-1"): op for op in pickletools.opcodes}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINBYTES", "SHORT_BINBYTES"),
}
_DTYPE_NAMES = {f"torch.{name}" for name in DTYPES}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}


@dataclasses.dataclass(frozen=True)
class Storage:
    """A run of numbers in the file, or a part of one.

    Attributes:
        key: what the file calls the run.
        dtype: a key of `DTYPES`.
        nbytes: bytes of the whole run.
        first, length: the part, in bytes; 0 and `nbytes` for the whole.
    """

    key: str
    dtype: str
    nbytes: int
    first: int
    length: int


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """Where a tensor's numbers stand.

    Attributes:
        storage: the run they are in; several tensors may share one.
        dtype: a key of `DTYPES`.
        start: bytes from the beginning of the run to the first number.
        size, stride: one int per axis, in elements.
    """

    storage: Storage
    dtype: str
    start: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def span(self) -> int:
        """Elements from the first number to the last one.

        >>> StoredTensor(None, "float32", 0, size=(3, 2), stride=(4, 1)).span
        10
        """
        if 0 in self.size:
            return 0
        return 1 + sum((n - 1) * step for n, step in zip(self.size, self.stride))


@dataclasses.dataclass(frozen=True)
class Pickle:
    """What one pickle says.

    Attributes:
        value: dicts (ordered ones too), lists, tuples, strings, numbers, and
            `StoredTensor`s.
        storages: every run of numbers that it mentions, by key.
    """

    value: object
    storages: dict[str, Storage]


def read_pickle(stream: io.BytesIO) -> Pickle:
    """Follows one pickle; the stream is left behind its last byte.

    Raises:
        ValueError: a damaged pickle, or one with anything but tensors and plain values.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument) in enumerate(_instructions(stream)):
            if count == MAX_INSTRUCTIONS:
                raise ValueError(f"its pickle has more than {count} instructions")
            machine.step(opcode, argument)
        value = machine.stack.pop()
    except UnicodeDecodeError:
        raise ValueError("its pickle is damaged: text that is no UTF-8") from None
    except IndexError:
        raise ValueError("its pickle is damaged: a value is missing") from None
    _check_depth(value)
    return Pickle(value, machine.storages)


def _instructions(stream):
    """Name and argument of one instruction after the other, up to STOP.

    Unlike `pickletools.genops`, no argument is read that `torch.save` does not write,
    and names are read as Python reads them, without escapes.
    """
    name = None
    while name != "STOP":
        code = stream.read(1)
        if code not in _OPCODES:
            raise ValueError(f"its pickle is damaged: {code} is no instruction")
        name, argument = _OPCODES[code].name, _OPCODES[code].arg
        if name in ("GLOBAL", "INST"):
            module, attribute = stream.readline(), stream.readline()
            if not attribute.endswith(b"\n"):
                raise ValueError("its pickle is damaged: it ends in a name")
            yield name, f"{module[:-1].decode()}.{attribute[:-1].decode()}"
        elif argument is None:
            yield name, None
        elif argument.n == pickletools.UP_TO_NEWLINE:
            raise ValueError(f"no state dict has the pickle instruction {name}")
        else:
            yield name, argument.reader(stream)


def _check_depth(value):
    """Refuses deep nesting, and values that hold themselves: they never end."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = {}  # by identity: a value held many times is followed once
        for outer in level:
            if isinstance(outer, dict):
                outer = list(outer.values())
            if isinstance(outer, (list, tuple)):
                inside.update((id(held), held) for held in outer)
        if not inside:
            return
        level = list(inside.values())
    raise ValueError(f"its pickle nests deeper than {MAX_DEPTH}, or without an end")


@dataclasses.dataclass(frozen=True)
class _Name:
    """A function or a class, known by name alone."""

    name: str


class _Machine:
    """The stack, the stacks below the last marks, and the numbered values."""

    def __init__(self):
        self.stack, self.marked, self.memo = [], [], {}
        self.storages: dict[str, Storage] = {}

    def step(self, opcode, argument):
        stack = self.stack
        if opcode in _LITERALS:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode in _EMPTY:
            stack.append(_EMPTY[opcode]())
        elif opcode in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[opcode])]
            stack.append(tuple(items[::-1]))
        elif opcode in _WITHOUT_EFFECT:
            pass
        else:
            self._step_with_effect(opcode, argument)

    def _step_with_effect(self, opcode, argument):
        stack = self.stack
        match opcode:
            case "MARK":
                if len(self.marked) == MAX_DEPTH:
                    raise ValueError(f"its pickle nests deeper than {MAX_DEPTH}")
                self.marked.append(stack)
                self.stack = []
            case "TUPLE":
                items = self._since_mark()
                self.stack.append(tuple(items))
            case "APPEND":
                _extend([stack.pop()], stack[-1])
            case "APPENDS":
                _extend(self._since_mark(), self.stack[-1])
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _update([key, value], stack[-1])
            case "SETITEMS":
                _update(self._since_mark(), self.stack[-1])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                if argument not in self.memo:
                    raise ValueError(f"its pickle is damaged: no value {argument}")
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(_known(argument))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                if not (isinstance(module, str) and isinstance(name, str)):
                    raise ValueError("its pickle is damaged: a name is no text")
                stack.append(_known(f"{module}.{name}"))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_rebuilt(function, arguments))
            case "BUILD":  # attributes, such as an ordered dict's `_metadata`
                if not (isinstance(stack.pop(), dict) and isinstance(stack[-1], dict)):
                    raise ValueError("it gives attributes to what is no dict")
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "INST":
                raise ValueError(f"{_shown(argument)} is not a tensor")
            case "EXT1" | "EXT2" | "EXT4":
                raise ValueError(f"pickle's extension {argument} is not a tensor")
            case _:
                raise ValueError(f"no state dict has the pickle instruction {opcode}")

    def _since_mark(self):
        items, self.stack = self.stack, self.marked.pop()
        return items

    def _storage(self, reference):
        """("storage", type, key, device, elements), in legacy files with None or a
        part (its key, first element, elements)."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6):
            raise ValueError("its pickle is damaged: a storage has 5 or 6 parts")
        kind, type_, key, _, count, *view = reference
        known = isinstance(type_, _Name) and type_.name in _STORAGES
        named = isinstance(key, str) and key.isascii() and key.isprintable()
        if kind != "storage" or not known or not named:
            raise ValueError("its pickle is damaged: a storage that is none")
        dtype = _STORAGES[type_.name]
        part = (0, count)
        if view and view[0] is not None:
            if not isinstance(view[0], tuple) or len(view[0]) != 3:
                raise ValueError("its pickle is damaged: a part of a storage")
            part = view[0][1:]
        if not _are_counts([count, *part]) or sum(part) > count:
            raise ValueError(f"the storage {key} has sizes that cannot be")
        width = _width(dtype)
        whole = Storage(key, dtype, count * width, 0, count * width)
        first = self.storages.setdefault(key, whole)
        if (first.nbytes, width) != (whole.nbytes, _width(first.dtype)):
            raise ValueError(f"the storage {key} has two sizes")
        return dataclasses.replace(whole, first=part[0] * width, length=part[1] * width)


def _shown(name):
    """A name as a terminal can bear it, whatever the file says."""
    return repr(name[:100])[1:-1]


def _known(name):
    if name in _STORAGES or name in _REBUILDS or name in _DTYPE_NAMES:
        return _Name(name)
    if name.startswith("torch."):
        raise ValueError(f"{_shown(name)} is not a tensor of a kind that is read here")
    raise ValueError(
        f"{_shown(name)} is not a tensor, and nothing else is read: with PyTorch, save "
        "model.state_dict() alone"
    )


def _extend(items, target):
    if not isinstance(target, list):
        raise ValueError("its pickle is damaged: items for what is no list")
    target.extend(items)


def _update(keys_and_values, target):
    keys, values = keys_and_values[::2], keys_and_values[1::2]
    if not isinstance(target, dict) or len(keys) != len(values):
        raise ValueError("its pickle is damaged: items for what is no dict")
    if not all(_is_key(key) for key in keys):
        raise ValueError(
            "it holds a dict with keys that are neither text nor numbers of 64 bits"
        )
    target.update(zip(keys, values))


def _is_key(value):
    """Others could take for ever: tuples of tuples to hash, and long numbers to find a
    place for, as all multiples of 2^61 - 1 have one hash."""
    is_long = isinstance(value, int) and value.bit_length() > 63
    return isinstance(value, (str, int)) and not is_long


def _rebuilt(function, arguments):
    if not isinstance(function, _Name) or function.name not in _REBUILDS:
        raise ValueError("it calls what is no function that rebuilds a tensor")
    if not isinstance(arguments, tuple):
        raise ValueError("its pickle is damaged: arguments that are no tuple")
    try:
        return _REBUILDS[function.name](*arguments)
    except TypeError:  # of the call: the functions check what they are given
        raise ValueError(f"{function.name} has too few or many arguments") from None


def _ordered_dict(*pairs):
    """As Python 3 writes it, without pairs, or with a list of them, as Python 2 did."""
    rebuilt = {}
    if pairs:
        (pairs,) = pairs
        if not isinstance(pairs, list):
            raise ValueError("its pickle is damaged: an ordered dict without pairs")
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError("its pickle is damaged: a pair that is none")
            _update(pair, rebuilt)
        pairs.clear()  # else a small pickle could make many large dicts of one list
    return rebuilt


def _tensor(storage, offset, size, stride):
    if not isinstance(storage, Storage):
        raise ValueError("its pickle is damaged: a tensor without a storage")
    return _tensor_of(storage, offset, size, stride, storage.dtype)


def _tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None):
    if metadata:
        raise ValueError("it holds a conjugated or negated tensor")
    return _tensor(storage, offset, size, stride)


def _tensor_v3(
    storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None
):
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, _Name) else None
    if metadata or name not in DTYPES or not isinstance(storage, Storage):
        raise ValueError("its pickle is damaged: a tensor without a dtype or storage")
    return _tensor_of(storage, offset, size, stride, name)


def _tensor_of(storage, offset, size, stride, dtype):
    shaped = isinstance(size, tuple) and isinstance(stride, tuple)
    if not shaped or len(size) != len(stride) or len(size) > _MAX_RANK:
        raise ValueError("it holds a tensor without a proper size and stride")
    width = _width(dtype)
    if (
        not _are_counts([offset, *size, *stride])
        or math.prod(max(n, 1) for n in size) * width >= 1 << 63
    ):
        raise ValueError("it holds a tensor with a size that cannot be")
    tensor = StoredTensor(storage, dtype, storage.first + offset * width, size, stride)
    # An empty tensor may begin behind the end.
    if tensor.span and (offset + tensor.span) * width > storage.length:
        raise ValueError(
            f"the storage {storage.key} ends after {storage.length} bytes; a tensor in "
            f"it needs {(offset + tensor.span) * width}"
        )
    return tensor


def _parameter(data, requires_grad, hooks):
    if not isinstance(data, StoredTensor):
        raise ValueError("its pickle is damaged: a parameter without a tensor")
    return data


def _width(dtype):
    return np.dtype(DTYPES[dtype]).itemsize


def _are_counts(values):
    return all(type(value) is int and 0 <= value < 1 << 63 for value in values)


_REBUILDS = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _tensor,  # torch 0.3
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,  # of the dtypes after torch 2.3
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": lambda axes: axes,
    "torch.device": lambda *where: where,
}
