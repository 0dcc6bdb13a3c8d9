"""Answers in the order of the input, from files and from standard input."""

import io

import numpy as np
import pytest
from small_files import rows, write

from kbert.training.finetune import finetune
from kbert.training.predict import predict


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
    answers = list(predict(classifier, file, batch_size=7))
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


def test_a_model_without_labels_is_refused(model):
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining"):
        list(predict(model, "new.tsv"))
