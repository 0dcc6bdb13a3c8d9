"""Every task from its files to answers, by the three commands, on the shipped model."""

import io
import json
from pathlib import Path

import pytest

from kbert.commands.evaluate import evaluate
from kbert.commands.finetune import finetune
from kbert.commands.predict import predict

SAMPLES = Path(__file__).parents[2] / "examples" / "data"
QUICK = {"batch_size": 8, "learning_rate": 2e-3, "sequence_length": 64}


def run(task, train, dev, output, **options):
    """Fine-tunes on samples, scores the model twice, and gives directory and scores."""
    directory = finetune(
        str(SAMPLES / train),
        str(output),
        task,
        dev=str(SAMPLES / dev),
        **(QUICK | options),
    )
    scores = evaluate(str(directory), str(SAMPLES / dev), str(output.parent / "again"))
    saved = json.loads((directory / "run.json").read_text("utf-8"))["dev"]
    assert scores == pytest.approx(saved, abs=1e-5)
    report = (output.parent / "again" / "report.html").read_text("utf-8")
    assert report.rstrip().endswith("</html>")
    return str(directory), scores


def typed(directory, text, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return list(predict(directory))


def test_pairs(tmp_path, monkeypatch):
    header = (SAMPLES / "entailment_train.tsv").read_text("utf-8").split("\n")[0]
    first, second, label = header.split("\t")[-3:]
    directory, scores = run(
        "classification",
        "entailment_train.tsv",
        "entailment_dev.tsv",
        tmp_path / "out",
        text_column=[first, second],
        label_column=label,
        epochs=2,
    )
    assert set(scores) >= {"accuracy", "macro_f1", "micro_f1", "mcc", "num_examples"}
    answers = typed(
        directory, "비가 온다.\t맑다.\nIt rains.\tIt is wet.\n", monkeypatch
    )
    assert all(sum(a["scores"].values()) == pytest.approx(1, abs=1e-5) for a in answers)


def test_regression(tmp_path, monkeypatch):
    header = (SAMPLES / "similarity_train.tsv").read_text("utf-8").split("\n")[0]
    first, second, score = header.split("\t")[-3:]
    directory, scores = run(
        "regression",
        "similarity_train.tsv",
        "similarity_dev.tsv",
        tmp_path / "out",
        text_column=[first, second],
        label_column=score,
        epochs=10,
    )
    assert -1 <= scores["pearson"] <= 1 and scores["mse"] < 25
    (answer,) = typed(directory, "비가 온다.\t비가 내린다.\n", monkeypatch)
    assert set(answer) == {"score"}


@pytest.mark.parametrize("kind", ["entities", "entities_by_character"])
def test_tagging(kind, tmp_path, monkeypatch):
    suffix = "txt" if kind == "entities" else "tsv"
    directory, scores = run(
        "tagging",
        f"{kind}_train.{suffix}",
        f"{kind}_dev.{suffix}",
        tmp_path / "out",
        epochs=20,
    )
    assert scores["f1"] > 0.2
    assert ("klue_character_f1" in scores) == (kind != "entities")
    text = "🙂 김서연 관장은 지난해 부산에 도서관을 열었다. " * 12  # several windows
    (answer,) = typed(directory, text, monkeypatch)
    assert answer["entities"]
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert 0 <= entity["score"] <= 1
    assert answer["entities"][-1]["start"] > len(text) // 2


def test_question_answering(tmp_path, monkeypatch):
    directory, scores = run(
        "question-answering",
        "questions_train.json",
        "questions_dev.json",
        tmp_path / "out",
        epochs=4,
        sequence_length=128,
    )
    assert 0 <= scores["exact_match"] <= scores["f1"] <= 1
    written = json.loads((tmp_path / "again" / "predictions.json").read_text("utf-8"))
    assert len(written) == scores["num_examples"]
    assert (tmp_path / "again" / "nbest_predictions.json").is_file()
    context = "도서관은 2019년에 문을 열었다."
    (answer,) = typed(directory, f"언제 열었나?\t{context}", monkeypatch)
    assert answer["answer"] == context[answer["start"] : answer["end"]]
    assert answer["n_best"][0]["text"] == answer["answer"]


def test_several_labels(tmp_path, monkeypatch):
    rows = [
        "text\tlabels",
        "좋고 싸다\t질,값",
        "싸다\t값",
        "좋다\t질",
        "그저 그렇다\t",
    ] * 1
    rows = [rows[0], *rows[1:] * 10]
    (tmp_path / "train.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    directory = finetune(
        str(tmp_path / "train.tsv"),
        str(tmp_path / "out"),
        "multi-label",
        label_column="labels",
        epochs=15,
        **QUICK,
    )
    answers = typed(str(directory), "좋고 싸다\n싸다\n그저 그렇다\n", monkeypatch)
    assert [set(answer["labels"]) for answer in answers] == [
        {"질", "값"},
        {"값"},
        set(),
    ]


def test_a_broken_file_is_told_before_training(tmp_path):
    (tmp_path / "bad.txt").write_text("김\tB-PER\n서연\tx\tI-PER\n", "utf-8")
    with pytest.raises(ValueError, match="bad.txt, line 2"):
        finetune(str(tmp_path / "bad.txt"), str(tmp_path / "out"), "tagging", **QUICK)
    assert not list(tmp_path.glob("out*"))
