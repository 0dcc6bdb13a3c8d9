"""Pre-training from files to a directory, and going on from one."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import kbert

DATA = Path(__file__).parents[1] / "data"
TEXT, VOCABULARY = str(DATA / "text_sample_ko.txt"), str(DATA / "text_vocabulary.txt")
QUICK = {"steps": 4, "evaluation_interval": 2, "batch_size": 4, "sequence_length": 16}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    output = tmp_path_factory.mktemp("first") / "bert"
    return kbert.pretrain([TEXT], VOCABULARY, str(output), held_out=0.2, **QUICK)


def test_directory_log_and_plot(first):
    assert sorted(path.name for path in first.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "training.png",
        "training_log.csv",
        "vocab.txt",
    ]
    with open(first / "training_log.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4"]
    parts = float(rows[0]["masked_lm_loss"]) + float(rows[0]["next_sentence_loss"])
    assert float(rows[0]["loss"]) == pytest.approx(parts, rel=1e-4)
    assert 0 <= float(rows[1]["val_masked_lm_accuracy"]) <= 1
    about = json.loads((first / "config.json").read_text("utf-8"))
    assert about["kbert"]["pretraining"]["steps"] == 4
    assert about["hidden_dropout_prob"] == 0.1
    assert (first / "training.png").read_bytes().startswith(b"\x89PNG")


def test_same_seed_same_model(first, tmp_path):
    again = kbert.pretrain(
        [TEXT], VOCABULARY, str(tmp_path / "bert"), held_out=0.2, **QUICK
    )
    one, two = kbert.load(first), kbert.load(again)
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_go_on_from_a_model(first, tmp_path):
    rate = {"learning_rate": 1e-9, "start_from": str(first), "seed": 5}
    more = kbert.pretrain(
        [TEXT], str(first), str(tmp_path / "more"), **rate, **QUICK | {"steps": 2}
    )
    one, two = kbert.load(first), kbert.load(more)
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert two.backbone.dropout == 0.1

    output = str(tmp_path / "no")
    with pytest.raises(ValueError, match="sequence_length must be at most 16"):
        kbert.pretrain(
            [TEXT], str(first), output, start_from=str(first), sequence_length=17
        )
    other = tmp_path / "vocab.txt"
    tokens = Path(VOCABULARY).read_text("utf-8").split("\n")
    other.write_text("\n".join([*tokens[:-2], "zzz"]) + "\n", "utf-8")
    with pytest.raises(
        ValueError, match="was pre-trained with; the one given is anoth"
    ):
        kbert.pretrain([TEXT], str(other), output, start_from=str(first), **QUICK)


def test_errors_come_before_the_work(first, tmp_path):
    output = str(tmp_path / "no")
    with pytest.raises(FileExistsError, match="Choose another or pass --overwrite"):
        kbert.pretrain([TEXT], VOCABULARY, str(first))
    with pytest.raises(ValueError, match="size must be one of tiny, mini.*got 'huge'"):
        kbert.pretrain([TEXT], VOCABULARY, output, size="huge")
    with pytest.raises(FileNotFoundError, match="no-such.txt does not exist"):
        kbert.pretrain(["no-such.txt"], VOCABULARY, output)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n", "utf-8")
    with pytest.raises(ValueError, match="the file .*empty.txt is empty"):
        kbert.pretrain([str(empty)], VOCABULARY, output)
    one = tmp_path / "one.txt"
    one.write_text("나는 학교에 간다.\n너도 간다.\n", "utf-8")
    with pytest.raises(
        ValueError, match="needs at least 2 documents.* the corpus has 1"
    ):
        kbert.pretrain([str(one)], VOCABULARY, output, held_out=0)
    assert not Path(output).exists()
