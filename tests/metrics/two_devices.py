"""Metrics on two replicas: a program that evaluates them under a mirrored strategy."""

import json
import os
import subprocess
import sys

import numpy as np

# Two logical CPUs must be asked for before TensorFlow is used: a process of its own.
# The last batch is one example, and one replica has none of it.
_EVALUATED = """
import json, sys
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

import keras
from kbert.training.distribution import strategy_scope


def evaluated(make, labels, outputs, weights):
    with strategy_scope("mirrored"):
        inputs = keras.Input(outputs.shape[1:])
        model = keras.Model(inputs, keras.layers.Identity()(inputs))
        assert model.distribute_strategy.num_replicas_in_sync == 2
        model.compile(
            loss=lambda y, x: keras.ops.sum(x, axis=-1), weighted_metrics=make()
        )
    # Axes of open length, as in the batches of texts.
    specs = [tf.TensorSpec((None,) * a.ndim, a.dtype) for a in (labels, weights)]
    signature = (tf.TensorSpec((None, *outputs.shape[1:])), *specs)
    # Copies, not views: TensorFlow takes an array's memory as it is, and writes to it.
    data = tf.data.Dataset.from_generator(
        lambda: (
            tuple(a[i : i + 8].copy() for a in (outputs, labels, weights))
            for i in range(0, len(labels), 8)
        ),
        output_signature=signature,
    )
    model.evaluate(data, verbose=0)
    found = model.evaluate(data, return_dict=True, verbose=0)  # begins anew
    return {name: value for name, value in found.items() if name != "loss"}
"""


def on_two_devices(program, directory, arrays):
    """What `program` prints; it calls `evaluated`, and sys.argv[1] holds `arrays`."""
    np.savez(directory / "arrays.npz", **arrays)
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", _EVALUATED + program, str(directory / "arrays.npz")],
        # Replicas that wait for each other want a thread each (tests/conftest.py).
        env=os.environ
        | {"PYTHONPATH": path, "KERAS_BACKEND": "tensorflow"}
        | {"TF_NUM_INTEROP_THREADS": "4", "TF_NUM_INTRAOP_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
