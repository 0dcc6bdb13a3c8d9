"""The graph of objects of a TF2 checkpoint is walked by attributes."""

import tensorflow as tf

from kbert.checkpoints.tensorflow.object_graph import ObjectGraph
from kbert.checkpoints.tensorflow.tensor_bundle import OBJECT_GRAPH, TensorBundle


def test_paths_and_keys(tmp_path):
    shared = tf.Variable(1.0)
    inner = tf.train.Checkpoint(x=shared)
    outer = tf.train.Checkpoint(inner=inner, y=tf.Variable(2.0))
    tf.train.Checkpoint(outer=outer, z=shared).write(str(tmp_path / "ckpt"))
    graph = ObjectGraph(TensorBundle(tmp_path / "ckpt")[OBJECT_GRAPH])
    assert set(graph.children[0]) == {"outer", "z"}
    x = graph.walk(0, "outer/inner/x")
    assert x == graph.walk(0, "z")
    # The shortest path is the key, whichever path leads there.
    assert graph.key(x) == "z/.ATTRIBUTES/VARIABLE_VALUE"
    assert graph.key(graph.walk(0, "outer/y")) == "outer/y/.ATTRIBUTES/VARIABLE_VALUE"
    assert graph.walk(0, "") == 0
    assert graph.walk(0, "outer/absent/x") is None
    assert graph.key(graph.walk(0, "outer")) is None
    assert graph.key(None) is None
    order = list(graph.breadth_first())
    assert sorted(order) == list(range(len(graph.children)))
    assert order[0] == 0
    assert order.index(x) < order.index(graph.walk(0, "outer/inner"))
