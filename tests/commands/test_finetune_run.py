"""A run from its checks to its end: nothing is done twice, and a stop costs little."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from kbert.checkpoints import hubs, stored_backbone
from kbert.commands import finetune_run
from kbert.commands.finetune import finetune
from kbert.tasks import answerer
from kbert.tasks.classification.text_classification import TextClassification
from kbert.text import tokenizer_files
from kbert.training import trainer

ARGUMENTS = {
    "task": "classification",
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "evaluate_every": 7,  # not a divisor of the 10 steps of an epoch
}


@pytest.fixture(scope="module")
def whole(model, files, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "out"
    train, dev = files
    return finetune(train, str(output), model=model, dev=dev, **ARGUMENTS)


def test_interrupted_and_resumed(whole, model, files, tmp_path, monkeypatch, capsys):
    train, dev = files
    output = tmp_path / "cut"
    save_state = trainer.save_state

    def interrupted(*arguments):
        save_state(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "save_state", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finetune(train, str(output), model=model, dev=dev, **ARGUMENTS)
    said = capsys.readouterr().err
    assert "The state at step 7 is kept in" in said
    assert said.rstrip().endswith(f"--output {output} --resume")
    assert not output.exists()
    monkeypatch.undo()

    with pytest.raises(FileExistsError, match="there is .*cut.unfinished. Pass --resu"):
        finetune(train, str(output), model=model, dev=dev, **ARGUMENTS)
    other = ARGUMENTS | {"epochs": 5}
    with pytest.raises(ValueError, match="epochs was 2, is 5. Go on with the same"):
        finetune(train, str(output), model=model, dev=dev, resume=True, **other)
    capsys.readouterr()
    finetune(train, str(output), model=model, dev=dev, resume=True, **ARGUMENTS)
    assert "Going on from step 7." in capsys.readouterr().out

    one, two = (load_file(str(d / "model.safetensors")) for d in (whole, output))
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)
    assert (whole / "log.csv").read_text() == (output / "log.csv").read_text()
    one, two = (json.loads((d / "run.json").read_text()) for d in (whole, output))
    assert one["seeds"] == two["seeds"] and one["dev"] == two["dev"]


def counted(monkeypatch, place, name, counts, key=None):
    """Counts the calls of an attribute while it does what it did."""
    original = getattr(place, name)

    def call(*arguments, **named):
        counts[key or name] = counts.get(key or name, 0) + 1
        return original(*arguments, **named)

    monkeypatch.setattr(place, name, call)


def test_nothing_is_done_twice(model, files, tmp_path, monkeypatch):
    """Two seeds with two evaluations each, on a model from a hub."""
    counts, train, dev = {}, *files
    monkeypatch.setattr(hubs, "_from_huggingface", lambda *handle: Path(model))
    counted(monkeypatch, hubs, "_from_huggingface", counts, "downloads")
    counted(monkeypatch, stored_backbone, "find_checkpoint", counts)
    counted(monkeypatch, answerer.Answerer, "outputs", counts)
    counted(monkeypatch, answerer.Answerer, "__init__", counts, "answerers")
    counted(monkeypatch, TextClassification, "decode", counts)
    counted(monkeypatch, tokenizer_files, "huggingface_arguments", counts, "tokenizers")
    num_metrics = []
    train_model = finetune_run.Training.train

    def training(self):
        num_metrics.append(len(train_model(self).model.metrics))
        return self

    monkeypatch.setattr(finetune_run.Training, "train", training)
    finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        "hf://owner/name",
        dev=dev,
        epochs=2,
        batch_size=50,
        seeds=2,
    )
    assert counts == {
        "downloads": 1,  # the hub is asked once
        "find_checkpoint": 1,  # and the weights opened once
        "tokenizers": 1,
        "answerers": 2,  # one for each training
        "outputs": 4,  # once for each evaluation; the best one's are at hand
        "decode": 4,
    }
    assert num_metrics == [1, 1]  # the loss; no metric of training batches
