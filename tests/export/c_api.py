"""Calls SavedModels through TensorFlow's C API: no Python of TensorFlow or kbert.

    python c_api.py < calls.json

calls.json: [{"model": directory, "signature": name, "inputs": {name: list or number}}].
Prints the outputs of each call as JSON: {name: {"shape": […], "values": […]}}. What
TensorFlow Serving does with a SavedModel is done here by its library alone: read the
graph, load the ops of tensorflow-text, run tensors by their names.
"""

import ctypes
import importlib.util
import json
import struct
import sys
from pathlib import Path

FLOAT, INT32, STRING, INT64, BOOL = 1, 3, 7, 9, 10
FORMATS = {FLOAT: "f", INT32: "i", INT64: "q", BOOL: "?"}
TSTRING = 24  # bytes of TF_TString


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


def package(name):
    """Where a package lies, without importing it."""
    return Path(importlib.util.find_spec(name).origin).parent


class Library:
    """TensorFlow's C functions by name, with pointers as they are."""

    def __init__(self):
        directory = package("tensorflow")
        self.framework = ctypes.CDLL(
            str(directory / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL
        )
        self.all = ctypes.CDLL(
            str(directory / "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL
        )
        self.status = self.call("TF_NewStatus")
        for ops in sorted((package("tensorflow_text") / "python" / "ops").glob("*.so")):
            self.checked("TF_LoadLibrary", str(ops).encode())

    def call(self, name, *arguments, returns=ctypes.c_void_p):
        function = getattr(self.all, name)
        function.restype = returns
        arguments = [
            ctypes.c_void_p(a) if isinstance(a, int) and a > 1 << 31 else a
            for a in arguments
        ]
        return function(*arguments)

    def checked(self, name, *arguments):
        """A function whose last argument is a status; raises what it says."""
        result = self.call(name, *arguments, self.status)
        if self.call("TF_GetCode", self.status, returns=ctypes.c_int):
            message = self.call("TF_Message", self.status, returns=ctypes.c_char_p)
            raise RuntimeError(f"{name}: {message.decode()}")
        return result


def fields(data):
    """Number and value of each field of a protocol buffer's message."""
    place = 0

    def varint():
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            yield key >> 3, data[place : place + size]
            place += size


def signatures_of(meta_graph):
    """name -> [{input: (tensor, dtype)}, {output: …}] of a MetaGraphDef."""
    found = {}
    for number, entry in fields(meta_graph):
        if number != 5:  # signature_def
            continue
        name, signature = dict(fields(entry)).values()
        tensors = [{}, {}]
        for side, info in fields(signature):
            if side in (1, 2):  # inputs, outputs
                parts = dict(fields(info))
                tensor = dict(fields(parts[2]))
                # What has no type is no tensor: the operation that initialises.
                dtype = tensor.get(2, 0)
                tensors[side - 1][parts[1].decode()] = tensor[1].decode(), dtype
        found[name.decode()] = tensors
    return found


class Model:
    """A SavedModel in a session."""

    def __init__(self, library, directory):
        self.library = library
        self.graph = library.call("TF_NewGraph")
        meta = library.call("TF_NewBuffer", returns=ctypes.POINTER(Buffer))
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = library.checked(
            "TF_LoadSessionFromSavedModel",
            library.call("TF_NewSessionOptions"),
            None,
            str(directory).encode(),
            tags,
            1,
            self.graph,
            meta,
        )
        content = ctypes.string_at(meta.contents.data, meta.contents.length)
        self.signatures = signatures_of(content)

    def run(self, signature, inputs):
        """Feeds what is given; what is not has its default in the graph."""
        taken, given = self.signatures[signature]
        names = [name for name in taken if name in inputs]
        feeds = [self.tensor(taken[name][1], inputs[name]) for name in names]
        results = (ctypes.c_void_p * len(given))()
        self.library.checked(
            "TF_SessionRun",
            self.session,
            None,
            (Output * len(names))(*(self.output(taken[name][0]) for name in names)),
            (ctypes.c_void_p * len(names))(*feeds),
            len(names),
            (Output * len(given))(*(self.output(name) for name, _ in given.values())),
            results,
            len(given),
            None,
            0,
            None,
        )
        return {name: self.values(x) for name, x in zip(given, results)}

    def output(self, tensor):
        name, _, index = tensor.partition(":")
        operation = self.library.call(
            "TF_GraphOperationByName", self.graph, name.encode()
        )
        assert operation, f"no operation {name}"
        return Output(operation, int(index))

    def tensor(self, dtype, value):
        """A list of texts or numbers, of lists of them, or a number, as a TF_Tensor."""
        shape, values = [], [value]
        while values and isinstance(values[0], list):
            shape.append(len(values[0]))
            values = [part for row in values for part in row]
        dims = (ctypes.c_int64 * max(1, len(shape)))(*shape)
        size = TSTRING if dtype == STRING else struct.calcsize(FORMATS[dtype])
        rank = len(shape)
        length = ctypes.c_size_t(size * len(values))
        result = self.library.call("TF_AllocateTensor", dtype, dims, rank, length)
        data = self.library.call("TF_TensorData", result)
        if dtype != STRING:
            packed = struct.pack(f"{len(values)}{FORMATS[dtype]}", *values)
            ctypes.memmove(data, packed, len(packed))
            return result
        for i, text in enumerate(values):
            place = data + TSTRING * i
            content = text.encode()
            self.library.call("TF_StringInit", place)
            length = ctypes.c_size_t(len(content))
            self.library.call("TF_StringCopy", place, content, length)
        return result

    def values(self, tensor):
        """Shape and values, in order, of a TF_Tensor."""
        library = self.library
        rank = library.call("TF_NumDims", tensor, returns=ctypes.c_int)
        shape = [
            library.call("TF_Dim", tensor, i, returns=ctypes.c_int64)
            for i in range(rank)
        ]
        dtype = library.call("TF_TensorType", tensor, returns=ctypes.c_int)
        size = library.call("TF_TensorByteSize", tensor, returns=ctypes.c_size_t)
        data = library.call("TF_TensorData", tensor)
        if dtype == STRING:
            places = [data + i for i in range(0, size, TSTRING)]
            values = [self.text(place) for place in places]
        else:
            count = size // struct.calcsize(FORMATS[dtype])
            content = ctypes.string_at(data, size) if size else b""
            values = list(struct.unpack(f"{count}{FORMATS[dtype]}", content))
        return {"shape": shape, "values": values}

    def text(self, place):
        library = self.library
        size = library.call("TF_StringGetSize", place, returns=ctypes.c_size_t)
        data = library.call("TF_StringGetDataPointer", place)
        return ctypes.string_at(data, size).decode()


def main():
    library, models, answers = Library(), {}, []
    for call in json.load(sys.stdin):
        if call["model"] not in models:
            models[call["model"]] = Model(library, call["model"])
        answers.append(models[call["model"]].run(call["signature"], call["inputs"]))
    packages = {name.split(".")[0] for name in sys.modules}
    strangers = packages & {"tensorflow", "tensorflow_text", "keras", "kbert", "numpy"}
    assert not strangers, f"imported: {', '.join(sorted(strangers))}"
    json.dump(answers, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
