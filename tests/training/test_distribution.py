"""Two devices give the numbers of one, clipping included."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.training.distribution import strategy_scope

# Two logical CPUs must be asked for before TensorFlow is used: a process of its own.
PROGRAM = """
import json, sys
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

import keras
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier
from kbert.pretraining.batches import PretrainingBatches
from kbert.pretraining.token_store import build_token_store
from kbert.text.vocabulary import Vocabulary
from kbert.training.distribution import strategy_scope
from kbert.training.optimizers import AdamW, Lamb
from kbert.commands.pretrain import BatchRange, compile_pretrainer

rng = np.random.default_rng(0)
words = [f"w{i}" for i in range(40)]
vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])
documents = [[rng.integers(5, 45, 6).tolist() for _ in range(8)] for _ in range(9)]
store = build_token_store(documents, lambda s: s, sys.argv[1])
batches = PretrainingBatches(store, vocabulary, 8, 24)


class Classified:
    def batch(self, step):
        x, y, _ = batches.batch(step)
        x = {k: v for k, v in x.items() if k != "mask_positions"}
        return x, y["next_sentence"]


def run(kind, strategy, clip_norm):
    keras.utils.set_random_seed(0)
    with strategy_scope(strategy):
        backbone = BertBackbone(
            45, 1, 2, 16, 32, dropout=0.0, attention_dropout=0.0,
            max_sequence_length=24, initializer_range=0.2,
        )
        # A large epsilon, so that the size of the gradient is felt, not its sign alone.
        optimizer = AdamW(0.2, epsilon=0.1, clip_norm=clip_norm)
        if kind == "lamb":
            optimizer = Lamb(0.2, epsilon=0.1, clip_norm=clip_norm)
        if kind == "pretrainer":
            model, source = BertPretrainer(backbone), batches
            compile_pretrainer(model, optimizer)
        else:
            model, source = BertTextClassifier(backbone, 2), Classified()
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer, loss)
    if strategy == "mirrored":
        assert model.distribute_strategy.num_replicas_in_sync == 2
    losses = []
    for step in range(4):
        history = model.fit(BatchRange(source, step, step + 1), verbose=0)
        losses += history.history["loss"]
    return losses, model.get_weights()


results = {}
for kind in ("pretrainer", "classifier", "lamb"):
    one, weights = run(kind, "none", 0.1)
    two, other_weights = run(kind, "mirrored", 0.1)
    unclipped, _ = run(kind, "none", None)
    difference = max(np.abs(a - b).max() for a, b in zip(weights, other_weights))
    results[kind] = {
        "one": one, "two": two, "unclipped": unclipped,
        "weights": float(difference),
    }
print(json.dumps(results))
"""


# The same through the two public functions, as the command line calls them.
COMMANDS = """
import csv, json, sys
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

import kbert

data, rows = {}, []
for strategy in ("none", "mirrored"):
    out = kbert.pretrain(
        [sys.argv[1]], sys.argv[2], strategy, steps=4, batch_size=8,
        sequence_length=16, learning_rate=1e-2, dropout=0.0, held_out=0.3,
        evaluation_interval=2, strategy=strategy, store="store",
    )
    with open(out / "training_log.csv") as stream:
        data[strategy] = list(csv.DictReader(stream))
with open("train.tsv", "w") as stream:
    stream.write("text\\tlabel\\n" + "good\\t1\\nbad\\t0\\n" * 9)
model = kbert.finetune(
    "train.tsv", "classifier", "classification", "mirrored", dev="train.tsv", epochs=2,
    batch_size=4, strategy="mirrored",
)
data["scores"] = kbert.evaluate(str(model), "train.tsv")
print(json.dumps(data))
"""


def run_on_two_devices(program, directory, *arguments):
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=directory,
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


@pytest.mark.slow
def test_pretrain_and_finetune_on_two_devices(tmp_path):
    data = Path(__file__).parents[1] / "data"
    vocabulary = data / "text_vocabulary.txt"
    found = run_on_two_devices(
        COMMANDS, tmp_path, data / "text_sample_ko.txt", vocabulary
    )
    assert [row["step"] for row in found["mirrored"]] == ["2", "4"]
    for one, two in zip(found["none"], found["mirrored"], strict=True):
        assert {name for name in one} >= {"masked_lm_loss", "val_next_sentence_loss"}
        for name in one:
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-4), name
    assert found["scores"]["num_examples"] == 18


def test_two_devices_give_the_losses_of_one(tmp_path):
    results = run_on_two_devices(PROGRAM, tmp_path, tmp_path / "store")
    assert list(results) == ["pretrainer", "classifier", "lamb"]
    for kind, own in results.items():
        assert len(own["one"]) == 4, kind
        np.testing.assert_allclose(own["two"], own["one"], rtol=1e-5, err_msg=kind)
        assert own["weights"] < 1e-5, kind
        # The gradient was clipped, so the order of clipping and summing was at stake.
        assert abs(own["unclipped"][-1] - own["one"][-1]) > 1e-2, kind


def test_one_device_needs_no_scope():
    assert isinstance(strategy_scope("none"), contextlib.nullcontext)


def test_unknown_strategy():
    with pytest.raises(ValueError, match="must be none or mirrored; got 'tpu'"):
        strategy_scope("tpu")


def test_mirrored_needs_tensorflow(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="the backend is jax"):
        strategy_scope("mirrored")
