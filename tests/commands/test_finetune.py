"""Fine-tuning end to end on a model of 2 layers: files in, a directory out."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from small_files import rows, write

from kbert.checkpoints.load_and_save import load
from kbert.commands.evaluate import evaluate
from kbert.commands.finetune import finetune

QUICK = {"batch_size": 16, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def output(model, files, tmp_path_factory):
    """Fine-tuned on one text with a dev file."""
    train, dev = files
    directory = tmp_path_factory.mktemp("one") / "out"
    return finetune(
        train, str(directory), "classification", model, dev=dev, epochs=4, **QUICK
    )


def test_it_learns(output, files):
    scores = evaluate(str(output), files[1])
    assert scores["num_examples"] == 31
    assert scores["accuracy"] > 0.9
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["dev"]["accuracy"] == scores["accuracy"]  # the best weights were kept
    assert run["seeds"]["0"]["score"] == scores["accuracy"]


def test_the_directory_keeps_the_labels(output):
    config = json.loads((output / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "blame", "1": "praise"}
    assert config["kbert"]["text_columns"] == ["text"]
    assert load(output).num_classes == 2


def test_the_directory_tells_how_it_came_about(output, files):
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["arguments"]["epochs"] == 4
    assert run["command"].startswith("kbert finetune classification --train ")
    assert "--epochs 4" in run["command"] and "--clip-norm" not in run["command"]
    assert run["data"]["train"]["num_examples"] == 150
    assert len(run["data"]["train"]["sha256"]) == 64
    assert run["data"]["dev"]["source"] == files[1]
    assert {"python", "tensorflow", "keras", "kbert"} <= set(run["versions"])
    with open(output / "log.csv", encoding="utf-8") as stream:
        log = list(csv.DictReader(stream))
    looks = [row["step"] for row in log if row["dev_accuracy"]]
    assert looks == [
        "10",
        "20",
        "30",
        "40",
    ]
    assert float(log[-1]["loss"]) < float(log[0]["loss"])
    assert list((output / "tensorboard").glob("events*"))
    report = (output / "evaluations" / "dev" / "report.html").read_text("utf-8")
    assert "praise" in report and "blame" in report
    assert not output.with_name("out.unfinished").exists()


def test_a_pair_of_texts_and_a_held_out_share(model, tmp_path):
    lines = [(a, text, label) for a, (text, label) in zip("abcdefgh" * 4, rows(32))]
    train = write(tmp_path / "train.tsv", ("first", "second", "answer"), lines)
    output = finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        model,
        dev_share=0.25,
        text_column=["first", "second"],
        label_column="answer",
        epochs=1,
        batch_size=8,
        sequence_length=12,
    )
    assert evaluate(str(output), train)["num_examples"] == 32
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["data"]["train"]["num_examples"] == 24
    assert run["data"]["dev"]["num_examples"] == 8


def test_seeds_and_where_the_weights_come_from(model, tmp_path):
    # At a rate of nearly 0 the backbone stays what it was at the start.
    train = write(tmp_path / "train.tsv", ("text", "label"), rows(8))
    tuned = []
    for name, from_scratch in (("a", False), ("b", False), ("c", True)):
        output = finetune(
            train,
            str(tmp_path / name),
            "classification",
            model,
            epochs=1,
            batch_size=8,
            learning_rate=1e-9,
            from_scratch=from_scratch,
            seed=3,
        )
        tuned.append(load(output))
    for one, other in zip(tuned[0].weights, tuned[1].weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())
    own, kept, _, new = (
        m.backbone.embeddings.token_embedding.get_weights()[0]
        for m in (load(model), *tuned)
    )
    assert np.abs(kept - own).max() < 1e-6
    assert np.abs(new - own).max() > 0.05


def test_several_seeds(model, files, tmp_path, capsys):
    train, dev = files
    output = finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        model,
        dev=dev,
        seeds=3,
        epochs=2,
        **QUICK,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    scores = {seed: best["score"] for seed, best in run["seeds"].items()}
    assert set(scores) == {"0", "1", "2"}
    best = scores[str(run["best_seed"])]
    assert best == max(scores.values()) == run["dev"]["accuracy"]
    assert run["summary"]["mean"] == pytest.approx(np.mean(list(scores.values())))
    spread = np.std(list(scores.values()), ddof=1)
    assert run["summary"]["standard_deviation"] == pytest.approx(spread)
    assert " over 3 seeds" in capsys.readouterr().out
    others = {f"seed-{seed}" for seed in range(3)} - {f"seed-{run['best_seed']}"}
    assert {path.name for path in output.glob("seed-*")} == others


def test_a_collapsed_run_is_named(model, files, tmp_path, capsys):
    # No rate at all: the scores are those of chance, and one may win by chance.
    train, dev = files
    output = finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        model,
        dev=dev,
        seeds=2,
        epochs=1,
        learning_rate=1e30,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["summary"]["collapsed"]
    assert "Warning: collapsed, seed " in capsys.readouterr().out


def test_early_stopping_and_the_best_weights(model, files, tmp_path):
    train, dev = files
    output = finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        model,
        dev=dev,
        epochs=50,
        evaluate_every=5,
        patience=2,
        **QUICK,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    with open(output / "log.csv", encoding="utf-8") as stream:
        looks = [row for row in csv.DictReader(stream) if row["dev_accuracy"]]
    assert len(looks) < 100
    assert int(looks[-1]["step"]) == run["seeds"]["0"]["step"] + 10
    assert evaluate(str(output), dev)["accuracy"] == run["seeds"]["0"]["score"]


def test_lamb_learns(model, files, tmp_path):
    output = finetune(
        files[0],
        str(tmp_path / "out"),
        "classification",
        model,
        dev=files[1],
        optimizer="lamb",
        epochs=4,
        batch_size=16,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["dev"]["accuracy"] > 0.9
    assert "--optimizer lamb" in run["command"]


def test_lora_trains_little_and_saves_a_plain_model(model, files, tmp_path):
    train, dev = files
    output = finetune(
        train,
        str(tmp_path / "out"),
        "classification",
        model,
        dev=dev,
        lora_rank=4,
        epochs=4,
        batch_size=16,
        learning_rate=1e-2,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert evaluate(str(output), dev)["accuracy"] == run["dev"]["accuracy"] > 0.8
    own, tuned = (m.backbone.embeddings for m in (load(model), load(output)))
    for one, other in zip(own.weights, tuned.weights, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())  # frozen


@pytest.mark.parametrize(
    "header, lines, arguments, message",
    [
        (("document", "label"), [("a", "1")], {}, "has document, label, no text"),
        (("text", "label"), [("a", "1"), ("b", "1")], {}, "holds only '1'"),
        (("text", "label"), [], {}, "Expected a header and rows of text"),
        (
            ("text", "label"),
            [("a", "1"), ("b", "2")],
            {"sequence_length": 21},
            "sequence_length must be at most 20, .*got 21",
        ),
        (
            ("text", "label"),
            [],
            {"task": "parsing"},
            "Expected task classific",
        ),
        (
            ("text", "label"),
            [],
            {"task": ""},
            "task out of .*, or --dataset",
        ),
        (("text", "label"), [], {"stride": 3}, "Expected no --stride for class"),
        (("text", "label"), [], {"seeds": 2}, "Expected --dev or --dev-share with se"),
        (("text", "label"), [], {"patience": 1}, "--dev-share with patience"),
        (("text", "label"), [], {"dev": "a", "dev_share": 0.1}, "not both"),
        (("text", "label"), [], {"dev_share": 1.0}, "dev_share of .* below 1; got 1.0"),
        (
            ("text", "label"),
            [("a", "1"), ("b", "2")],
            {"epochs": 0},
            "Expected epochs of at least 1; got 0",
        ),
        (
            ("text", "label"),
            [("a", "1"), ("b", "2")],
            {"learning_rate": -1.0},
            "Expected learning_rate above 0 .*; got -1.0",
        ),
    ],
)
def test_errors(model, tmp_path, header, lines, arguments, message):
    train = write(tmp_path / "train.tsv", header, lines)
    arguments = {"task": "classification", "model": model} | arguments
    with pytest.raises(ValueError, match=message):
        finetune(train, str(tmp_path / "out"), **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["train.tsv"]


def test_an_unseen_label_in_the_dev_file(model, tmp_path):
    train = write(tmp_path / "a.tsv", ("text", "label"), [("a", "1"), ("b", "2")])
    dev = write(tmp_path / "dev.tsv", ("text", "label"), [("a", "1"), ("b", "3")])
    with pytest.raises(ValueError, match=r"row 2 of .*dev\.tsv.*'3'"):
        finetune(train, str(tmp_path / "out"), "classification", model, dev=dev)


def test_an_existing_output_is_refused_before_the_work(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError, match="does not exist yet; .*out does"):
        finetune("no-file", str(tmp_path / "out"), "classification", "no-model")


def test_a_loss_that_is_no_number_is_told(model, files, tmp_path):
    with pytest.raises(FloatingPointError, match="Expected a finite loss; at step"):
        finetune(
            files[0],
            str(tmp_path / "out"),
            "classification",
            model,
            learning_rate=1e38,
            epochs=2,
        )
    assert not list(tmp_path.iterdir())  # no evaluation yet: nothing is kept


@pytest.mark.parametrize("name", ["dataset", "preset"])  # the former name
def test_a_data_set_knows_columns_metric_and_files(model, tmp_path, name):
    header = ("id", "document", "label")
    lines = [(str(i), text, label) for i, (text, label) in enumerate(rows(40))]
    write(tmp_path / "ratings_train.txt", header, lines)
    write(tmp_path / "ratings_test.txt", header, lines[:10])
    output = finetune(
        str(tmp_path), str(tmp_path / "out"), model=model, epochs=1, **{name: "nsmc"}
    )
    run = json.loads((Path(output) / "run.json").read_text("utf-8"))
    assert run["data"]["train"]["num_examples"] == 40
    assert run["data"]["dev"]["num_examples"] == 10
    assert run["arguments"]["text_column"] == ["document"]
    assert run["arguments"]["dataset"] == "nsmc"
    assert "--dataset nsmc" in run["command"]


def test_a_dataset_of_tfds_by_name(model, tmp_path, monkeypatch):
    """Built here; its own splits are taken where none is named."""
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.core.registered.skip_registration():

        class Words(tfds.core.GeneratorBasedBuilder):
            name = "words"
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                label = tfds.features.ClassLabel(names=["blame", "praise"])
                features = {"text": tfds.features.Text(), "label": label}
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(features)
                )

            def _split_generators(self, dl_manager):
                return {
                    "train": self._generate_examples(48, 0),
                    "validation": self._generate_examples(12, 1),
                }

            def _generate_examples(self, count, seed):
                for i, (text, label) in enumerate(rows(count, seed)):
                    yield i, {"text": text, "label": label}

    Words(data_dir=str(tmp_path / "tfds")).download_and_prepare()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    output = finetune(
        "tfds:words",
        str(tmp_path / "out"),
        "classification",
        model,
        dev="tfds:words",
        epochs=1,
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["data"]["train"] == {"source": "tfds:words:train", "num_examples": 48}
    assert run["data"]["dev"]["num_examples"] == 12
    config = json.loads((output / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "blame", "1": "praise"}
    assert evaluate(str(output), "tfds:words:validation")["num_examples"] == 12
    with pytest.raises(ValueError, match="word"):
        finetune("tfds:wrods", str(tmp_path / "b"), "classification", model)
