"""Pre-training from files to a directory, and going on from one."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import kbert
from kbert.commands import pretrain_run
from kbert.commands.run_directory import RunDirectory

DATA = Path(__file__).parents[1] / "data"
TEXT, VOCABULARY = str(DATA / "text_sample_ko.txt"), str(DATA / "text_vocabulary.txt")
QUICK = {"steps": 4, "evaluation_interval": 2, "batch_size": 4, "sequence_length": 16}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    output = tmp_path_factory.mktemp("first") / "bert"
    return kbert.pretrain([TEXT], VOCABULARY, str(output), held_out=0.2, **QUICK)


def rows_of(file):
    with open(file, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_directory(first):
    assert sorted(path.name for path in first.iterdir()) == [
        "config.json",
        "log.csv",
        "model.safetensors",
        "report.html",
        "run.json",
        "tensorboard",
        "tokenizer.json",
        "tokenizer_config.json",
        "training_log.csv",
        "vocab.txt",
    ]
    assert not list(first.parent.glob("*.unfinished"))
    about = json.loads((first / "config.json").read_text("utf-8"))
    assert about["kbert"]["pretraining"]["steps"] == 4
    assert about["hidden_dropout_prob"] == 0.1
    assert any((first / "tensorboard").iterdir())


def test_the_logs(first):
    rows = rows_of(first / "training_log.csv")
    assert [row["step"] for row in rows] == ["2", "4"]
    parts = float(rows[0]["masked_lm_loss"]) + float(rows[0]["next_sentence_loss"])
    assert float(rows[0]["loss"]) == pytest.approx(parts, rel=1e-4)
    assert 0 <= float(rows[1]["val_masked_lm_accuracy"]) <= 1
    points = rows_of(first / "log.csv")
    assert [row["step"] for row in points] == ["1", "2", "3", "4"]
    assert points[3]["dev_loss"] == rows[1]["val_loss"] and not points[2]["dev_loss"]
    mean = (float(points[0]["loss"]) + float(points[1]["loss"])) / 2
    assert mean == pytest.approx(float(rows[0]["loss"]), rel=1e-6)


def test_how_it_came_about(first):
    run = json.loads((first / "run.json").read_text("utf-8"))
    assert run["command"].startswith(f"kbert pretrain {TEXT} --vocabulary {VOCABULARY}")
    assert run["arguments"]["steps"] == 4 and "resume" not in run["arguments"]
    assert run["data"]["num_tokens"] == 10587
    assert len(run["data"]["store_sha256"]["tokens"]) == 64
    assert run["last_evaluation"]["step"] == 4
    page = (first / "report.html").read_text("utf-8")
    for words in ("Masked LM accuracy", "Next sentence accuracy", "Loss", "Held-out"):
        assert words.lower() in page.lower(), words


def test_interrupted_and_resumed(first, tmp_path, monkeypatch, capsys):
    """The newest model lies whole in the unfinished run, and the end is the same."""
    arguments = [TEXT], VOCABULARY, str(tmp_path / "bert")
    arguments = dict(zip(("corpus", "vocabulary", "output"), arguments))
    arguments |= QUICK | {"held_out": 0.2, "store": f"{first}-store"}
    write_csv = pretrain_run.write_csv

    def interrupted(path, rows):
        write_csv(path, rows)
        if path.name == "training_log.csv":
            raise KeyboardInterrupt

    monkeypatch.setattr(pretrain_run, "write_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kbert.pretrain(**arguments)
    said = capsys.readouterr().err
    assert "The state at step 2 is kept in" in said
    assert f"--output {tmp_path / 'bert'} --resume" in said

    monkeypatch.setattr(pretrain_run, "write_csv", write_csv)
    monkeypatch.setattr(pretrain_run._Result, "write", stop)
    with pytest.raises(KeyboardInterrupt):  # after the last evaluation
        kbert.pretrain(**arguments, resume=True)
    assert "Going on from step 2." in capsys.readouterr().out
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match="Expected no unfinished run"):
        kbert.pretrain(**arguments)
    with pytest.raises(ValueError, match="seed was 0, is 1. Go on with the same"):
        kbert.pretrain(**arguments, seed=1, resume=True)
    output = kbert.pretrain(**arguments, resume=True)
    for name in ("model.safetensors", "config.json", "log.csv", "training_log.csv"):
        assert (output / name).read_bytes() == (first / name).read_bytes(), name
    assert kbert.pretrain(**arguments, resume=True) == output
    assert "is finished already" in capsys.readouterr().out


def stop(*arguments):
    raise KeyboardInterrupt


def test_the_newest_model_can_be_used(tmp_path, monkeypatch):
    seen = []
    finished = RunDirectory.finished

    def look(run, facts):
        model = run.path / "model"
        seen.append((kbert.load(model), {path.name for path in model.iterdir()}))
        return finished(run, facts)

    monkeypatch.setattr(RunDirectory, "finished", look)
    kbert.pretrain([TEXT], VOCABULARY, str(tmp_path / "bert"), held_out=0.2, **QUICK)
    ((model, names),) = seen
    assert isinstance(model, kbert.BertPretrainer)
    assert names >= {"log.csv", "training_log.csv", "report.html", "vocab.txt"}


def test_patience_keeps_the_best(tmp_path):
    output = kbert.pretrain(
        [TEXT],
        VOCABULARY,
        str(tmp_path / "bert"),
        held_out=0.2,
        patience=1,
        optimizer="lamb",
        learning_rate=3.0,  # gets worse at once, or stays within bounds by chance
        **QUICK | {"steps": 20},
    )
    run = json.loads((output / "run.json").read_text("utf-8"))
    rows = rows_of(output / "training_log.csv")
    best = min(rows, key=lambda row: float(row["val_loss"]))
    assert run["best"]["step"] == int(best["step"])
    assert int(rows[-1]["step"]) < 20 and best is not rows[-1]


def test_same_seed_same_model(first, tmp_path):
    again = kbert.pretrain(
        [TEXT], VOCABULARY, str(tmp_path / "bert"), held_out=0.2, **QUICK
    )
    one, two = kbert.load(first), kbert.load(again)
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_array_equal(a, b)


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


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_codes_are_nothing_to_go_on_from(first, tmp_path):
    model = kbert.load(first)
    model.quantize("int8")
    model.save(tmp_path / "codes.keras")
    start = str(tmp_path / "codes.keras")
    with pytest.raises(ValueError, match="can be trained in .*codes.keras; they are q"):
        kbert.pretrain(
            [TEXT], str(first), str(tmp_path / "no"), start_from=start, **QUICK
        )


def test_errors_come_before_the_work(first, tmp_path):
    output = str(tmp_path / "no")
    with pytest.raises(FileExistsError, match="Choose another or pass --overwrite"):
        kbert.pretrain([TEXT], VOCABULARY, str(first))
    with pytest.raises(ValueError, match="Expected size tiny, mini.*got 'huge'"):
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
