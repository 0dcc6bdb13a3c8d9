"""TensorFlow Serving's JSON to inputs, and outputs to its JSON.

    rows     {"instances": ["좋다", "나쁘다"]}
             {"instances": [{"text": "좋다", "k": 3}]}      -> {"predictions": […]}
    columns  {"inputs": {"text": ["좋다", "나쁘다"], "k": 3}} -> {"outputs": {…}}

With "signature_name" beside either. Bytes are {"b64": "7KKL64uk"}. A function with one
input, or one output, may be given, and is answered, without its name.
"""

import base64
import binascii
import dataclasses
import json

import numpy as np

from kbert.signatures import Signature

_BINARY = "_bytes"  # outputs with such names are not text


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        request_bytes: of its body.
        texts: in one request.
        text_bytes: of one text.
        seconds: until it is given up.
    """

    request_bytes: int = 16 << 20
    texts: int = 1024
    text_bytes: int = 1 << 20
    seconds: float = 60.0


def read_json(body: bytes) -> dict:
    """The object that a body holds.

    Raises:
        ValueError: no JSON, no object, NaN or Infinity (which JSON has not), or nested
            too deeply.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("Expected JSON with less nesting.") from None
    except UnicodeDecodeError:
        raise ValueError("Expected JSON in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"Expected JSON; {error}.") from None
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise ValueError(f"Expected a JSON object; got a {kind}.")
    return value


def _refuse_constant(name):
    raise ValueError(f"Expected finite numbers; {name} is no JSON.")


def inputs_of(request: dict, signature: Signature) -> dict:
    """What a request gives for each input, as lists or single values.

    Raises:
        ValueError: neither or both of "instances" and "inputs", none of them, or
            instances that differ in their inputs.
    """
    if ("instances" in request) == ("inputs" in request):
        raise ValueError('Expected either "instances" or "inputs" in the request.')
    if "instances" in request:
        return _from_rows(request["instances"], signature)
    return _from_columns(request["inputs"], signature)


def _from_rows(instances, signature):
    if not isinstance(instances, list) or not instances:
        raise ValueError('Expected a list of at least one instance in "instances".')
    if not _is_named(instances[0]):
        name = _only_input(signature)
        if any(_is_named(instance) for instance in instances):
            raise ValueError(
                "Expected instances that all have names, or all have none."
            )
        return {name: [_decoded(value) for value in instances]}
    names = list(instances[0])
    for i, instance in enumerate(instances):
        if not _is_named(instance) or set(instance) != set(names):
            raise ValueError(
                f"Expected the inputs {', '.join(names)} in each instance, as the "
                f"first has them; instance {i} has others."
            )
    return {
        name: [_decoded(instance[name]) for instance in instances] for name in names
    }


def _from_columns(inputs, signature):
    if not _is_named(inputs):
        inputs = {_only_input(signature): inputs}
    return {name: _decoded(value) for name, value in inputs.items()}


def _is_named(value):
    return isinstance(value, dict) and set(value) != {"b64"}


def _only_input(signature):
    """The one input that must be given.

    Raises:
        ValueError: there are several.
    """
    needed = [tensor.name for tensor in signature.inputs if tensor.default is None]
    if len(needed) != 1:
        raise ValueError(
            f"Expected inputs by name, as {signature.name} has {len(needed)}: "
            f"{', '.join(needed)}."
        )
    return needed[0]


def _decoded(value):
    """{"b64": …} to bytes, in lists too."""
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError('Expected base64 text in {"b64": …}.') from None
    return value


def response_of(
    outputs: dict[str, np.ndarray], signature: Signature, in_rows: bool
) -> bytes:
    """The answer in the form of the request.

    Raises:
        ValueError: a number that JSON has not, NaN or infinite.
    """
    order = [tensor.name for tensor in signature.outputs]
    columns = {name: _listed(name, outputs[name]) for name in order}
    if in_rows:
        rows = zip(*columns.values(), strict=True)
        value = [dict(zip(order, row, strict=True)) for row in rows]
        if len(order) == 1:
            value = columns[order[0]]
        answer = {"predictions": value}
    else:
        answer = {"outputs": columns if len(order) > 1 else columns[order[0]]}
    try:
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ValueError("The model gave numbers that are not finite.") from None
    return text.encode("utf-8")


def _listed(name, array):
    """Strings as text, or as base64 where the name says so; numbers as they are."""
    if array.dtype != object:
        return array.tolist()
    as_json = _as_base64 if name.endswith(_BINARY) else _as_text
    return (
        np.frompyfunc(as_json, 1, 1)(array).tolist() if array.size else array.tolist()
    )


def _as_text(value):
    return value.decode("utf-8", "replace")


def _as_base64(value):
    return {"b64": base64.b64encode(value).decode()}


def status_of(statuses: list) -> dict:
    """The state of a model's versions, as TensorFlow Serving tells it."""
    return {
        "model_version_status": [
            {
                "version": str(status.version),
                "state": status.state,
                "status": {
                    "error_code": "UNKNOWN" if status.error else "OK",
                    "error_message": status.error,
                },
            }
            for status in statuses
        ]
    }


def metadata_of(name: str, version: int, signatures: dict[str, Signature]) -> dict:
    """Names, types and shapes of all functions, as TensorFlow Serving tells them."""
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    key: {
                        "inputs": _tensors(signature.inputs),
                        "outputs": _tensors(signature.outputs),
                        "method_name": "tensorflow/serving/predict",
                    }
                    for key, signature in signatures.items()
                }
            }
        },
    }


_DTYPES = {
    "string": "DT_STRING",
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "bool": "DT_BOOL",
}


def _tensors(tensors):
    return {
        tensor.name: {
            "dtype": _DTYPES.get(tensor.dtype, f"DT_{tensor.dtype.upper()}"),
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""} for _ in tensor.shape],
                "unknown_rank": not tensor.shape,
            },
            "name": tensor.name,
        }
        for tensor in tensors
    }
