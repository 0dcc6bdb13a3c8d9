"""What a classifier's directory knows; files to examples, rows, answers and scores."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load_backbone, load_tokenizer
from kbert.models.backbone import BertBackbone
from kbert.tasks.classification.text_classification import TextClassification
from kbert.tasks.classification.text_examples import TextExample
from kbert.tasks.rows.packed_rows import shuffled_batches
from kbert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
PRESETS = Path(__file__).parents[3] / "kbert" / "presets"


def write(path, text):
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def train(tmp_path):
    text = "document\tlabel\n좋다\t긍정\n싫다\t부정\n좋아\t긍정\n"
    return write(tmp_path / "train.tsv", text)


@pytest.fixture
def task(train):
    task = TextClassification(text_columns=("document",), sequence_length=32)
    return task.learned(list(task.read(train)))


def examples_of(*rows):
    """("a b", 1) -> TextExample(("a b",), 1)"""
    return [TextExample((text,), label) for text, label in rows]


def test_halves_of_surrogate_pairs():
    task = TextClassification(("x", "y"), text_columns=("a", "b"), sequence_length=8)
    broken = [TextExample(("a\ud83d b", "c")), TextExample(("\udc00", "a"))]
    packed = task.pack(broken, BertTokenizer(TOKENS))
    assert packed.rows.token_ids.tolist() == [2, 5, 6, 3, 7, 3, 2, 3, 5, 3]


def test_labels_are_learned_sorted(task, train):
    assert task.labels == ("긍정", "부정")
    assert task.metric == "accuracy"
    assert list(task.read(train)) == examples_of(
        ("좋다", "긍정"), ("싫다", "부정"), ("좋아", "긍정")
    )
    assert next(task.read(train, is_labelled=False)) == TextExample(("좋다",), None)


def test_labels_may_have_an_order_of_their_own():
    task = TextClassification(labels=("b", "a", "unused"))
    assert task.learned(examples_of(("x", "a"))).labels == ("b", "a", "unused")
    with pytest.raises(ValueError, match="row 2 of the examples says 'c'"):
        task.learned(examples_of(("x", "a"), ("x", "c")))


@pytest.mark.parametrize(
    "task, keys",
    [
        (
            TextClassification(
                labels=("부정", "긍정"),
                text_columns=("a", "b"),
                label_column="c",
                sequence_length=7,
                metric="mcc",
                header=("c", "a", "b"),
            ),
            {
                "id2label": {"0": "부정", "1": "긍정"},
                "label2id": {"부정": 0, "긍정": 1},
            },
        ),
        (
            TextClassification(
                labels=("x", "y"),
                problem_type="multi_label_classification",
                metric="macro_f1",
                label_separator="|",
            ),
            {"problem_type": "multi_label_classification"},
        ),
        (
            TextClassification(problem_type="regression", metric="spearman"),
            {"id2label": {"0": "score"}, "problem_type": "regression"},
        ),
    ],
)
def test_config_round_trip(task, keys):
    config = json.loads(json.dumps(task.to_config()))
    assert config["kbert"]["task"] == "text_classification"
    assert keys.items() <= config.items()
    stored = config | {"architectures": ["BertForSequenceClassification"]}
    assert TextClassification.from_config(stored) == task


def foreign(**config):
    return TextClassification.from_config(
        {"architectures": ["BertForSequenceClassification"], **config}
    )


def test_more_than_ten_labels_keep_their_order():
    names = {str(i): f"label {i}" for i in range(12)}
    task = foreign(id2label=dict(sorted(names.items())))
    assert task.labels == tuple(f"label {i}" for i in range(12))
    assert (task.text_columns, task.label_column) == (("text",), "label")
    assert task.problem_type == "single_label_classification"


def test_configs_of_transformers():
    assert foreign().labels == ("LABEL_0", "LABEL_1")
    assert foreign(max_position_embeddings=64).sequence_length == 64
    task = foreign(id2label={"0": "LABEL_0"}, problem_type=None)
    assert (task.problem_type, task.labels, task.metric) == (
        "regression",
        (),
        "pearson",
    )
    several = {"0": "x", "1": "y"}
    task = foreign(id2label=several, problem_type="multi_label_classification")
    assert (task.labels, task.metric) == (("x", "y"), "micro_f1")
    with pytest.raises(ValueError, match="regression of one number.* of 2: x, y"):
        foreign(id2label=several, problem_type="regression")


def test_a_directory_of_the_first_version():
    task = foreign(
        problem_type="single_label_classification",
        id2label={"0": "a", "1": "b"},
        kbert={
            "task": "text_classification",
            "text_columns": ["document"],
            "label_column": "y",
            "sequence_length": 20,
        },
    )
    assert task == TextClassification(("a", "b"), ("document",), "y", 20)


def test_not_a_classifier():
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining"):
        TextClassification.from_config({"architectures": ["BertForPreTraining"]})


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"text_columns": ()}, "two for pairs; got 0: none"),
        ({"text_columns": ("a", "b", "c")}, "two for pairs; got 3: a, b, c"),
        ({"problem_type": "ranking"}, "out of single_label.*regression; got 'ranking'"),
        ({"metric": "f1"}, "accuracy, macro_f1, micro_f1, mcc.; got 'f1'"),
        ({"problem_type": "regression", "metric": "mse"}, "pearson, spearman.; got"),
        (
            {"problem_type": "regression", "class_weights": ("balanced",)},
            "each example has one label; the problem is regression",
        ),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        TextClassification(**fields)


@pytest.mark.parametrize(
    "text, message",
    [
        ("document\tlabel\na\t1\nb\t1\n", "two different labels.*holds only '1'"),
        ("document\tlabel\na\t1\nb\t\n", "Expected a label in the column label; row 2"),
        ("document\tanswer\na\t1\n", "row 1 has document, answer, no label"),
        ("", "Expected a header and rows of text"),
    ],
)
def test_a_training_file_that_is_of_no_use(tmp_path, text, message):
    task = TextClassification(text_columns=("document",))
    file = write(tmp_path / "a.tsv", text)
    with pytest.raises(ValueError, match=message):
        task.learned(list(task.read(file)))


def test_an_unseen_label_is_named(task, tmp_path):
    file = write(tmp_path / "dev.tsv", "document\tlabel\na\t긍정\nb\t중립\n")
    message = "training .긍정, 부정.; row 2 of .*dev.tsv says '중립'"
    with pytest.raises(ValueError, match=message):
        list(task.read(file))
    examples = examples_of(("a", "긍정"), ("b", "중립"))
    answers = [{"label": "긍정", "scores": {"긍정": 1, "부정": 0}}] * 2
    message = "training .긍정, 부정.; row 2 of the examples says '중립'"
    with pytest.raises(ValueError, match=message):
        task.score(answers, examples)
    with pytest.raises(ValueError, match=message):
        task.pack(examples, BertTokenizer(TOKENS))
    with pytest.raises(ValueError, match="row 1 of the examples has none"):
        task.score(answers[:1], examples_of(("a", None)))


def test_a_target_that_is_no_number(tmp_path):
    file = write(tmp_path / "dev.tsv", "text\tlabel\na\t1.5\nb\tNaN\n")
    task = TextClassification(problem_type="regression")
    with pytest.raises(ValueError, match="finite number.*row 2 of .*dev.tsv has 'NaN'"):
        list(task.read(file))
    with pytest.raises(
        ValueError, match="finite number; row 1 of the examples says nan"
    ):
        task.learned(examples_of(("a", float("nan"))))


def test_columns_within_json(tmp_path):
    records = [
        {"a": "x", "b": "y", "labels": {"real-label": 4.8, "binary-label": 1}},
        {"a": "z", "b": 12, "labels": {"real-label": 0, "binary-label": True}},
    ]
    file = write(tmp_path / "sts.json", json.dumps(records))
    task = TextClassification(
        text_columns=("a", "b"),
        label_column="labels.real-label",
        problem_type="regression",
    )
    assert list(task.read(file)) == [
        TextExample(("x", "y"), 4.8),
        TextExample(("z", "12"), 0.0),
    ]
    task = TextClassification(label_column="labels.binary-label", text_columns=("a",))
    assert [e.label for e in task.read(file)] == ["1", "true"]


def test_several_labels_from_files(tmp_path):
    task = TextClassification(problem_type="multi_label_classification")
    table = write(tmp_path / "a.tsv", "text\tlabel\nx\tjoy,fear\ny\t\n")
    lines = write(tmp_path / "a.jsonl", '{"text": "x", "label": ["joy", "fear"]}\n')
    examples = list(task.read(table))
    assert examples == examples_of(("x", ("fear", "joy")), ("y", ()))
    assert list(task.read(lines)) == examples[:1]
    assert task.learned(examples).labels == ("fear", "joy")
    with pytest.raises(ValueError, match="column label holds none"):
        task.learned(examples_of(("y", ())))


def test_a_table_without_header_in_another_encoding(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_bytes("갑\t1\n을\t0\n".encode("cp949"))
    task = TextClassification(header=("text", "label"), encoding="cp949")
    assert list(task.read(file)) == examples_of(("갑", "1"), ("을", "0"))


def test_standard_input():
    single, pair = TextClassification(), TextClassification(text_columns=("a", "b"))
    assert single.typed("x\ty", 1) == TextExample(("x\ty",), None)
    assert pair.typed("x\ty\tz", 1) == TextExample(("x", "y\tz"), None)
    message = "Expected 2 texts a line, parted by a tab; line 3 of standard input has 1"
    with pytest.raises(ValueError, match=message):
        pair.typed("x", 3)


def test_rows_and_batches_of_one_label():
    examples = examples_of(("a b", "n"), ("c", "y"), ("d", "y"), ("e", "y"))
    task = TextClassification(sequence_length=8, class_weights=("n=3",))
    task = task.learned(examples)
    assert task.weights == (3, 1)
    packed = task.pack(examples, BertTokenizer(TOKENS))
    inputs, targets, weights = task.batch(packed, np.array([0, 2]))
    assert inputs["token_ids"][:, :5].tolist() == [[2, 5, 6, 3, 0], [2, 8, 3, 0, 0]]
    assert (targets.tolist(), targets.dtype) == ([0, 1], "int32")
    assert (weights.tolist(), weights.dtype) == ([1.5, 0.5], "float32")
    assert task.batch(packed, np.array([1, 2]))[2].tolist() == [1, 1]
    with pytest.raises(ValueError, match="row 2 of the examples has none"):
        task.pack([*examples[:1], TextExample(("x",))], BertTokenizer(TOKENS))


@pytest.mark.parametrize(
    "problem_type, labels, shape, dtype",
    [
        ("single_label_classification", ("x", "y"), (2,), "int32"),
        ("multi_label_classification", ("x", "y"), (2, 2), "float32"),
        ("regression", (), (2, 1), "float32"),
    ],
)
def test_pairs_without_labels(problem_type, labels, shape, dtype):
    task = TextClassification(labels, ("a", "b"), problem_type=problem_type)
    examples = [task.typed("a\tb c", 1), task.typed("a\tb", 2)]
    packed = task.pack(examples, BertTokenizer(TOKENS))
    inputs, targets, weights = task.batch(packed, np.array([0, 1]))
    assert inputs["segment_ids"].tolist()[0] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert (targets.shape, targets.dtype) == (shape, dtype)
    assert not targets.any()
    assert weights.tolist() == [1, 1]


def test_class_weights_give_the_weighted_mean_of_torch():
    # torch.nn.functional.cross_entropy(logits, y, weight): sum(w l) / sum(w)
    logits = np.array([[2, 0], [1, 1], [0, 3]], "float32")
    examples = examples_of(("a", "n"), ("b", "y"), ("c", "n"))
    task = TextClassification(class_weights=("n=0.5", "y=4")).learned(examples)
    packed = task.pack(examples, BertTokenizer(TOKENS))
    _, targets, weights = task.batch(packed, np.arange(3))
    loss = task.compile_arguments()["loss"]
    own = -np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))[
        np.arange(3), targets
    ]
    expected = (own * [0.5, 4, 0.5]).sum() / 5
    assert float(loss(targets, logits, weights)) == pytest.approx(expected, rel=1e-5)


def test_the_trainers_choices():
    examples = examples_of(("a", "n"), ("b", "y"), ("c", "n"))
    task = TextClassification(metric="macro_f1").learned(examples)
    answers = task.decode(np.array([[0, 9.0]] * 3), None)
    assert task.score(answers, examples)["accuracy"] == pytest.approx(1 / 3)
    assert task.floor(examples) == pytest.approx(0.8 / 2)
    assert task.calibrated(answers, examples) is task
    assert task.group(examples[0]) is None
    assert task.outputs_per == "row"


def small_backbone(dropout=0.1):
    return BertBackbone(
        len(TOKENS),
        2,
        2,
        32,
        64,
        dropout=dropout,
        max_sequence_length=16,
        initializer_range=0.1,
    )


def trained(task, examples, tokenizer, backbone, learning_rate, epochs):
    """A model that `model.fit` has seen all examples with, and its scores on them."""
    task = task.learned(examples)
    packed = task.pack(examples, tokenizer)
    model = task.build(backbone)
    model.compile(keras.optimizers.Adam(learning_rate), **task.compile_arguments())
    batches = [
        task.batch(packed, rows)
        for epoch in range(epochs)
        for rows in shuffled_batches(packed.rows.lengths, 16, 0, epoch)
    ]
    history = model.fit(
        (batch for batch in batches),
        steps_per_epoch=len(batches),
        verbose=0,
        shuffle=False,
    )
    outputs = model.predict(packed.rows.batch(np.arange(len(examples))), verbose=0)
    return history.history, task.score(task.decode(outputs, packed), examples)


def test_64_examples_are_learned_by_heart():
    keras.utils.set_random_seed(0)
    task = TextClassification(text_columns=("document",), sequence_length=64)
    examples = list(task.read(PRESETS / "samples" / "nsmc_train.tsv"))[:64]
    model = str(PRESETS / "kbert_tiny_ko_en")
    _, scores = trained(
        task, examples, load_tokenizer(model), load_backbone(model), 1e-3, epochs=20
    )
    assert scores["accuracy"] >= 0.99
    assert scores["mcc"] >= 0.98


def test_a_number_is_learned():
    """How many of the words are an a."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    words = rng.choice(list("abcd"), (64, 6))
    examples = examples_of(
        *[(" ".join(row), float((row == "a").sum())) for row in words]
    )
    task = TextClassification(problem_type="regression", sequence_length=16)
    history, scores = trained(
        task, examples, BertTokenizer(TOKENS), small_backbone(0.0), 3e-3, epochs=50
    )
    assert scores["pearson"] > 0.99
    assert scores["mse"] < 0.1
    assert set(history) == {"loss", "pearson"}


def test_several_labels_are_learned():
    """Which of the words are there."""
    keras.utils.set_random_seed(0)
    words = np.random.default_rng(0).choice(list("abcd"), (64, 3))
    examples = examples_of(
        *[(" ".join(row), tuple(sorted({*row} - {"d"}))) for row in words]
    )
    task = TextClassification(problem_type="multi_label_classification")
    task = dataclasses.replace(task, sequence_length=16)
    history, scores = trained(
        task, examples, BertTokenizer(TOKENS), small_backbone(0.0), 3e-3, epochs=25
    )
    assert scores["accuracy"] >= 0.99
    assert scores["micro_f1"] >= 0.99
    assert set(history) == {"loss", "micro_f1"}
