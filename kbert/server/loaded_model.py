"""A SavedModel in memory: checked inputs in, arrays out."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops of the text stage

from kbert.disk.text_lines import whole_characters
from kbert.signatures import (
    MODEL_CARD,
    Signature,
    Tensor,
    example_inputs,
    signature_of,
)

DEFAULT = "serving_default"
_KINDS = {"string": "US", "float32": "fiu", "int32": "iu", "bool": "b"}


class LoadedModel:
    """One version of a model, ready to be called from several threads.

    SavedModels of other makers are served too: their signatures are read from the
    graph, and the first axis is taken for the batch.

    Args:
        directory: that of the version, as saved_models/nsmc/3.

    Attributes:
        name: the directory above.
        version: the directory's name as a number; 0 if it is none.
        card: what `model_card.json` says; {} without one.
        signatures: by name, "serving_default" among them.

    Raises:
        OSError, ValueError: the directory holds no SavedModel that can be loaded.
    """

    def __init__(self, directory: Path):
        directory = Path(directory).resolve()
        self.name = directory.parent.name
        self.version = int(directory.name) if directory.name.isdigit() else 0
        self._loaded = tf.saved_model.load(str(directory))  # it owns the weights
        self._functions = dict(self._loaded.signatures.items())
        card = directory / "assets" / MODEL_CARD
        self.card = json.loads(card.read_text("utf-8")) if card.is_file() else {}
        if self.card:
            declared = {
                name: signature_of(name, config)
                for name, config in self.card["signatures"].items()
            }
            declared[DEFAULT] = declared[self.card["default_signature"]]
            self.signatures = {n: declared[n] for n in self._functions}
            # The same function, which is then planned once.
            self._functions[DEFAULT] = self._functions[self.card["default_signature"]]
        else:
            self.signatures = {n: _read(n, f) for n, f in self._functions.items()}

    @property
    def is_splittable(self) -> bool:
        """Whether rows may be taken apart and put together: the card says how."""
        return bool(self.card)

    def checked(self, name: str, inputs: dict) -> dict[str, np.ndarray]:
        """The inputs of a signature as arrays, defaults filled in.

        Args:
            name: of the signature.
            inputs: lists, scalars or arrays by the names of the inputs.

        Raises:
            ValueError: no such signature, an input that is missing or unknown, of
                another type or rank, or batches of different or no length.
        """
        if name not in self.signatures:
            raise ValueError(
                f"Expected a signature out of {', '.join(self.signatures)}; got "
                f"{name!r}."
            )
        declared = {tensor.name: tensor for tensor in self.signatures[name].inputs}
        if unknown := sorted(set(inputs) - set(declared)):
            raise ValueError(
                f"Expected the inputs {', '.join(declared)} of {name}; got "
                f"{', '.join(map(repr, unknown))}."
            )
        arrays = {}
        for tensor in declared.values():
            if tensor.name in inputs:
                arrays[tensor.name] = _as_array(inputs[tensor.name], tensor)
            elif tensor.default is not None:
                arrays[tensor.name] = np.array(tensor.default, tensor.dtype)
            else:
                raise ValueError(f"Expected the input {tensor.name!r} of {name}.")
        lengths = {n: len(x) for n, x in arrays.items() if x.ndim}
        if 0 in lengths.values():
            raise ValueError(f"Expected at least one text for {name}; got none.")
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{n} has {length}" for n, length in lengths.items())
            raise ValueError(f"Expected inputs of one length; {shown}.")
        return arrays

    def call(self, name: str, inputs: dict) -> dict[str, np.ndarray]:
        """The outputs of a signature; strings are objects, bytes in UTF-8.

        Raises:
            ValueError: inputs that do not fit, or that the graph refuses.
        """
        arrays = self.checked(name, inputs)
        tensors = {key: tf.constant(array) for key, array in arrays.items()}
        try:
            outputs = self._functions[name](**tensors)
            return {key: x.numpy() for key, x in outputs.items()}
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(_reason(error)) from None

    def warm_up(self, names: list[str]) -> None:
        """Calls functions once: TensorFlow plans a graph when it first runs, a second.

        Args:
            names: of signatures that the card tells of; others are passed over.
        """
        for name in names if self.card else ():
            self.call(name, example_inputs(self.signatures[name]))


def _read(name, function):
    """The signature of a graph that has no card."""
    letters = "BCDEFGH"
    inputs = function.structured_input_signature[1].values()
    outputs = function.structured_outputs.items()

    def tensor(name, spec):
        rank = spec.shape.rank
        shape = letters[: 1 if rank is None else rank]
        return Tensor(name, spec.dtype.name, shape, "")

    return Signature(
        name,
        tuple(tensor(spec.name, spec) for spec in inputs),
        tuple(tensor(key, spec) for key, spec in outputs),
    )


def _as_array(values, tensor):
    """One input as an array of its type and rank.

    Raises:
        ValueError: it is something else.
    """
    expected = f"Expected {tensor.dtype} {_shape(tensor)} for {tensor.name!r}"
    if tensor.dtype == "string" and len(tensor.shape) == 2:
        values = _filled_up(values)
    array = np.array(values, object)
    if any(isinstance(x, list | tuple) for x in array.flat):
        raise ValueError(f"{expected}; got lists of different lengths.")
    wanted = _KINDS.get(tensor.dtype)
    if wanted is None:
        raise ValueError(f"{expected}, which cannot be given as JSON.")
    for value in array.flat:
        if np.asarray(value).dtype.kind not in wanted:
            raise ValueError(f"{expected}; got {_shown(value)}.")
    if array.ndim != len(tensor.shape) and (tensor.shape or array.ndim > 1):
        raise ValueError(f"{expected}; got {array.ndim} axes.")
    if tensor.dtype == "string":
        return np.frompyfunc(_as_utf8, 1, 1)(array) if array.size else array
    try:
        return array.astype(tensor.dtype)
    except (OverflowError, ValueError):
        raise ValueError(f"{expected}; got a number out of its range.") from None


def _filled_up(rows):
    """Lists of texts of one length, "" behind the shorter: [["a"], ["b", "c"]]."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return rows
    longest = max(map(len, rows), default=0)
    return [row + [""] * (longest - len(row)) for row in rows]


def _shape(tensor):
    return f"({', '.join(tensor.shape)},)" if tensor.shape else "scalar"


def _shown(value):
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 40 else text[:40] + "…"


def _as_utf8(text):
    return text if isinstance(text, bytes) else whole_characters(text).encode("utf-8")


def _reason(error):
    """What an assertion in the graph says, without TensorFlow's frame around it."""
    message = error.message
    if "assertion failed: [" in message:
        return message.split("assertion failed: [", 1)[1].split("]", 1)[0]
    return message.split("\n")[0]
