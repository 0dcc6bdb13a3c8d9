"""Answers in the order of the input, from files and from standard input."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from small_files import rows, write

from kbert.commands.early_checks import UsageError
from kbert.commands.evaluate import evaluate
from kbert.commands.finetune import finetune
from kbert.commands.predict import predict
from kbert.tasks.answerer import Answerer


@pytest.fixture(scope="module")
def classifier(model, files, tmp_path_factory):
    directory = tmp_path_factory.mktemp("predict") / "out"
    output = finetune(
        files[0],
        str(directory),
        "classification",
        model,
        epochs=4,
        batch_size=16,
        learning_rate=3e-3,
    )
    return str(output)


def test_answers_come_in_the_order_of_the_file(classifier, tmp_path):
    pairs = list(rows(40, seed=2))
    file = write(tmp_path / "new.tsv", ("text",), [(text,) for text, _ in pairs])
    answers = list(predict(classifier, file, token_budget=100))
    assert len(answers) == 40
    hits = [a["label"] == label for a, (_, label) in zip(answers, pairs, strict=True)]
    assert np.mean(hits) > 0.9
    for text, answer in list(zip([t for t, _ in pairs], answers, strict=True))[::20]:
        single = write(tmp_path / "one.tsv", ("text",), [(text,)])
        (alone,) = predict(classifier, single)
        assert alone["label"] == answer["label"]
        assert alone["score"] == pytest.approx(answer["score"], abs=1e-5)
        assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-5)


def test_standard_input(classifier, monkeypatch):
    texts = "a good b\nbad\n\nc d bad e\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(texts))
    labels = [answer["label"] for answer in predict(classifier)]
    assert len(labels) == 4  # an empty line is an empty text
    assert [labels[i] for i in (0, 1, 3)] == ["praise", "blame", "blame"]


def test_a_stream_is_not_read_to_its_end_first(classifier, monkeypatch):
    read = []

    class Endless:
        def __iter__(self):
            while True:
                read.append(1)
                yield "a good b\n"

    monkeypatch.setattr("sys.stdin", Endless())
    answers = predict(classifier)
    assert next(answers)["label"] == "praise"
    assert len(read) < 10_000


def test_a_text_longer_than_the_model_is_cut(classifier, tmp_path):
    text = "good " + "a " * 500
    file = write(tmp_path / "long.tsv", ("text",), [(text,), ("bad",)])
    assert [a["label"] for a in predict(classifier, file)] == ["praise", "blame"]


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory):
    texts = [(text + " c" * (i % 5),) for i, (text, _) in enumerate(rows(200, seed=3))]
    return write(tmp_path_factory.mktemp("texts") / "new.tsv", ("text",), texts)


def test_a_file_of_answers(classifier, two_hundred, tmp_path):
    file = tmp_path / "answers.jsonl"
    assert predict(classifier, two_hundred, str(file), token_budget=200) == file
    answers = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert answers == list(predict(classifier, two_hundred, token_budget=200))
    assert os.listdir(tmp_path) == ["answers.jsonl"]
    with pytest.raises(FileExistsError, match="Choose another or pass --overwrite"):
        predict(classifier, two_hundred, str(file))
    predict(classifier, two_hundred, str(file), token_budget=200, overwrite=True)


def test_what_was_stopped_goes_on(classifier, two_hundred, tmp_path, monkeypatch):
    whole, file = tmp_path / "whole.jsonl", tmp_path / "answers.jsonl"
    predict(classifier, two_hundred, str(whole))
    answer, sizes = Answerer.answer, []

    def failing(self, examples, bar):
        sizes.append(len(examples))
        if len(sizes) == 2:
            raise KeyboardInterrupt
        return answer(self, examples, bar)

    monkeypatch.setattr(Answerer, "answer", failing)
    with pytest.raises(KeyboardInterrupt):
        predict(classifier, two_hundred, str(file))
    assert not file.exists()
    with pytest.raises(ValueError, match="token_budget was 8192, is 64"):
        predict(classifier, two_hundred, str(file), token_budget=64, resume=True)
    predict(classifier, two_hundred, str(file), resume=True)
    assert sizes == [64, 128, 128, 8]
    assert file.read_bytes() == whole.read_bytes()


def test_standard_input_goes_on_when_it_is_given_again(
    classifier, tmp_path, monkeypatch
):
    texts = "a good b\nbad\n" * 60
    file = tmp_path / "answers.jsonl"

    def stopping():
        yield from texts.splitlines(True)[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", stopping())
    with pytest.raises(KeyboardInterrupt):
        predict(classifier, output=str(file))
    monkeypatch.setattr("sys.stdin", io.StringIO(texts))
    predict(classifier, output=str(file), resume=True)
    lines = file.read_text("utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["praise", "blame"] * 60


def test_a_bad_row_is_found_before_the_work(classifier, tmp_path):
    file = write(tmp_path / "bad.jsonl.tsv", ("text",), [("good",)] * 300)
    with open(file, "a", encoding="utf-8") as stream:
        stream.write("bad\tbad\n")
    output = tmp_path / "answers.jsonl"
    with pytest.raises(ValueError, match="line 302 has 2"):
        predict(classifier, file, str(output))
    assert not output.with_name("answers.jsonl.unfinished").exists()


@pytest.mark.parametrize("argument", ["resume", "overwrite"])
def test_going_on_takes_a_file(classifier, argument):
    with pytest.raises(ValueError, match="Expected --output FILE"):
        predict(classifier, **{argument: True})


def test_texts_in_place_of_a_file(classifier):
    advice = r"got a list. .*kbert.load_answerer\(model\)\(texts\)"
    with pytest.raises(UsageError, match=advice):
        predict(classifier, ["정말 재미있다"])
    advice = r"does not exist. .* standard input, or call kbert.load_answerer\(model\)"
    with pytest.raises(FileNotFoundError, match=advice):
        predict(classifier, "정말 재미있다")


def test_a_handle_is_resolved_once(classifier, monkeypatch, tmp_path):
    asked = []

    def resolve(handle):
        asked.append(handle)
        return Path(classifier)

    monkeypatch.setattr("kbert.checkpoints.local_path.resolve", resolve)
    file = write(tmp_path / "new.tsv", ("text", "label"), rows(8))
    output = predict("hf://me/classifier", file, str(tmp_path / "answers.jsonl"))
    assert len(output.read_text().splitlines()) == 8
    evaluate("hf://me/classifier", file, str(tmp_path / "evaluation"))
    assert asked == ["hf://me/classifier"] * 2


def test_a_model_without_labels_is_refused(model):
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining"):
        list(predict(model))
