"""The ops that a SavedModel asks for beyond TensorFlow's own."""

import pytest
import small_models
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

# All of tensorflow-text, whose ops TensorFlow Serving links: SUPPORTED_TENSORFLOW_OPS
# in its tensorflow_serving/model_servers/BUILD has tensorflow_text's ops_lib.
TEXT_OPS = {
    "FastBertNormalize",
    "FastWordpieceTokenizeWithOffsets",
    "TFText>WhitespaceTokenizeWithOffsetsV2",
}


def ops_in(version):
    """Of the graph and of all functions that it calls."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    names = {function.signature.name for function in graph.library.function}
    return {node.op for node in nodes} - names


@pytest.mark.parametrize("kind", small_models.KINDS)
def test_only_core_and_text(exported, kind):
    ops = ops_in(exported(kind))
    assert len(ops) > 50
    assert not [op for op in ops if "PyFunc" in op or "Numpy" in op]
    assert {op for op in ops if not hasattr(tf.raw_ops, op)} == TEXT_OPS
