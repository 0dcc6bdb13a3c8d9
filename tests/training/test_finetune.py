"""Fine-tuning end to end on a model of 2 layers: files in, labels out."""

import io
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.checkpoints.model_directory import load, save
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.training.finetune import evaluate, finetune, predict

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "good", "bad"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A pre-trained model with random weights: D=32, 20 positions, 2 layers."""
    keras.utils.set_random_seed(0)
    backbone = BertBackbone(
        len(TOKENS), 2, 2, 32, 64, max_sequence_length=20, initializer_range=0.1
    )
    directory = tmp_path_factory.mktemp("model") / "model"
    save(BertPretrainer(backbone), directory, ReferenceTokenizer(TOKENS))
    return str(directory)


def rows(count, seed=0):
    """(text, label): noise of 1 to 12 words, and the word that tells."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        words = rng.choice(list("abcdefgh"), rng.integers(1, 13)).tolist()
        words.insert(rng.integers(0, len(words) + 1), ("good", "bad")[i % 2])
        yield " ".join(words), ("praise", "blame")[i % 2]


def write(path, header, lines):
    text = "\n".join("\t".join(line) for line in [header, *lines])
    path.write_text(text + "\n", "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def classifier(model, tmp_path_factory):
    """Fine-tuned on one text: its directory, and a dev file."""
    directory = tmp_path_factory.mktemp("one")
    train = write(directory / "train.tsv", ("text", "label"), rows(150))
    dev = write(directory / "dev.tsv", ("text", "label"), rows(31, seed=1))
    output = finetune(
        model,
        train,
        str(directory / "out"),
        dev=dev,
        epochs=4,
        batch_size=16,
        learning_rate=3e-3,
    )
    return str(output), dev


def test_it_learns_and_is_scored(classifier):
    scores = evaluate(*classifier)
    assert set(scores) == {"accuracy", "macro_f1", "loss", "num_examples"}
    assert scores["num_examples"] == 31
    assert scores["accuracy"] > 0.9
    assert scores["macro_f1"] == pytest.approx(scores["accuracy"], abs=0.05)
    assert 0 < scores["loss"] < 0.4


def test_the_directory_keeps_the_labels(classifier):
    config = json.loads((Path(classifier[0]) / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "blame", "1": "praise"}
    assert config["kbert"]["text_columns"] == ["text"]
    assert load(classifier[0]).num_classes == 2


def test_answers_come_in_the_order_of_the_file(classifier, tmp_path):
    directory, _ = classifier
    pairs = list(rows(40, seed=2))
    file = write(tmp_path / "new.tsv", ("text",), [(text,) for text, _ in pairs])
    answers = list(predict(directory, file, batch_size=7))
    assert len(answers) == 40
    hits = [a["label"] == label for a, (_, label) in zip(answers, pairs, strict=True)]
    assert np.mean(hits) > 0.9
    for text, answer in list(zip([t for t, _ in pairs], answers, strict=True))[::20]:
        single = write(tmp_path / "one.tsv", ("text",), [(text,)])
        (alone,) = predict(directory, single)
        assert alone["label"] == answer["label"]
        assert alone["score"] == pytest.approx(answer["score"], abs=1e-5)
        assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-5)


def test_standard_input(classifier, monkeypatch):
    texts = "a good b\nbad\n\nc d bad e\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(texts))
    labels = [answer["label"] for answer in predict(classifier[0])]
    assert len(labels) == 4  # an empty line is an empty text
    assert [labels[i] for i in (0, 1, 3)] == ["praise", "blame", "blame"]


def test_a_text_longer_than_the_model_is_cut(classifier, tmp_path):
    text = "good " + "a " * 500
    file = write(tmp_path / "long.tsv", ("text",), [(text,), ("bad",)])
    assert [a["label"] for a in predict(classifier[0], file)] == ["praise", "blame"]


def test_a_pair_of_texts(model, tmp_path, monkeypatch):
    lines = [(a, text, label) for a, (text, label) in zip("abcdefgh" * 4, rows(32))]
    train = write(tmp_path / "train.tsv", ("first", "second", "answer"), lines)
    output = finetune(
        model,
        train,
        str(tmp_path / "out"),
        text_column=["first", "second"],
        label_column="answer",
        epochs=1,
        batch_size=8,
        sequence_length=12,
    )
    assert evaluate(str(output), train)["num_examples"] == 32
    monkeypatch.setattr("sys.stdin", io.StringIO("a\tgood\nb\tbad\n"))
    assert len(list(predict(str(output)))) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("a\tgood\nbad\n"))
    message = "Expected 2 texts a line, parted by a tab; line 2 of standard input has 1"
    with pytest.raises(ValueError, match=message):
        list(predict(str(output)))


def test_seeds_and_where_the_weights_come_from(model, tmp_path):
    # At a rate of nearly 0 the backbone stays what it was at the start.
    train = write(tmp_path / "train.tsv", ("text", "label"), rows(8))
    tuned = []
    for name, from_scratch in (("a", False), ("b", False), ("c", True)):
        output = finetune(
            model,
            train,
            str(tmp_path / name),
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
    ],
)
def test_errors(model, tmp_path, header, lines, arguments, message):
    train = write(tmp_path / "train.tsv", header, lines)
    with pytest.raises(ValueError, match=message):
        finetune(model, train, str(tmp_path / "out"), **arguments)
    assert not (tmp_path / "out").exists()


def test_an_unseen_label_in_the_dev_file(model, tmp_path):
    train = write(tmp_path / "a.tsv", ("text", "label"), [("a", "1"), ("b", "2")])
    dev = write(tmp_path / "dev.tsv", ("text", "label"), [("a", "1"), ("b", "3")])
    with pytest.raises(ValueError, match=r"row 2 of .*dev\.tsv says '3'"):
        finetune(model, train, str(tmp_path / "out"), dev=dev)


def test_an_existing_output_is_refused_before_the_work(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError, match="does not exist yet; .*out does"):
        finetune("no-model", "no-file", str(tmp_path / "out"))


def test_a_model_without_labels_is_refused(model):
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining"):
        list(predict(model, "new.tsv"))
