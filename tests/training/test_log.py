"""The log of a training, for people and for TensorBoard."""

import csv

import tensorflow as tf

from kbert.training.log import TrainingLog, write_csv

HISTORY = [
    {"step": 1, "epoch": 0.5, "loss": 0.7},
    {"step": 2, "epoch": 1.0, "loss": 0.5, "dev_accuracy": 0.75},
    {"step": 3, "epoch": 1.5, "loss": 0.4},
]


def test_the_table_has_all_columns(tmp_path):
    write_csv(tmp_path / "log.csv", HISTORY)
    with open(tmp_path / "log.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {"step": "1", "epoch": "0.5", "loss": "0.7", "dev_accuracy": ""}
    assert rows[1]["dev_accuracy"] == "0.75"
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def events(directory):
    """(name, step, value) of all the event files, in order."""
    found = []
    for file in sorted(directory.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                found.append((value.tag, event.step, round(number, 4)))
    return found


def test_events_are_written_once(tmp_path):
    log = TrainingLog(tmp_path)
    log.write(HISTORY[:2])
    log.write(HISTORY)
    log = TrainingLog(tmp_path)  # as a resumed training has
    log.write(HISTORY[:2])  # its state was older than the last events
    log.write([*HISTORY, {"step": 4, "epoch": 2.0, "loss": 0.3}])
    losses = [e for e in events(tmp_path / "tensorboard") if e[0] == "loss"]
    assert losses == [
        ("loss", 1, 0.7),
        ("loss", 2, 0.5),
        ("loss", 3, 0.4),
        ("loss", 4, 0.3),
    ]
    assert ("dev/accuracy", 2, 0.75) in events(tmp_path / "tensorboard")
