"""A model's tensor part as ONNX: for ONNX Runtime and what else reads the format."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kbert.export.servable import Servable
from kbert.export.tensor_model import TensorModel, export_tensors

OPSET = 17  # of ONNX 1.12, 2022
FILE = "model.onnx"


def write_onnx(servable: Servable, output: str) -> Path:
    """Writes OUTPUT/NAME/VERSION/model.onnx, checked in ONNX Runtime.

    Args:
        servable: the model with its task and name.
        output: the directory of all models exported so.

    Raises:
        ValueError: outputs more than 1e-4 away from those of Keras.

    Returns: the version's directory.
    """
    import onnxruntime

    facts = {"opset": OPSET, "checked_in": f"onnxruntime {onnxruntime.__version__}"}
    return export_tensors(servable, output, FILE, _convert, _open, facts)


def _convert(tensor_model: TensorModel, file: Path):
    """Weights go through the converter as inputs, and are put in afterwards.

    As constants, it would copy those of BERT base to 24 GB, and store a token embedding
    that is also the vocabulary projection twice.
    """
    import onnx
    import tf2onnx

    variables = {f"weight_{i}": v for i, v in enumerate(tensor_model.model.variables)}
    specs = [tf.TensorSpec(v.shape, v.dtype, name) for name, v in variables.items()]
    count = len(tensor_model.specs)

    def call(*arrays):
        state = list(zip(variables.values(), arrays[count:], strict=True))
        with keras.StatelessScope(state_mapping=state):
            return tensor_model.call(*arrays[:count])

    signature = [*tensor_model.specs, *specs]
    proto, _ = tf2onnx.convert.from_function(
        tf.function(call, input_signature=signature, autograph=False),
        input_signature=signature,
        opset=OPSET,
        custom_op_handlers={"Erfc": (_erfc, [])},
    )
    graph = proto.graph
    used = {name for node in graph.node for name in node.input}
    for given in [x for x in graph.input if x.name in variables]:
        graph.input.remove(given)
        if given.name in used:  # a dropout's seed is not
            array = keras.ops.convert_to_numpy(variables[given.name])
            graph.initializer.append(onnx.numpy_helper.from_array(array, given.name))
    onnx.save(proto, file)


def _erfc(graph, node, name, args):
    """Keras' exact GELU is made of erfc(x), which ONNX has as 1 - erf(x)."""
    one = graph.make_const(f"{name}_one", np.array(1, "float32"))
    erf = graph.make_node("Erf", [node.input[0]], name=f"{name}_erf")
    node.type, node.domain = "Sub", ""
    graph.replace_inputs(node, [one.output[0], erf.output[0]])


def _open(file):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))
