"""The tagger's task: its config, what it trains on, its answers, and that it learns."""

import json

import keras
import numpy as np
import pytest

import kbert
from kbert.metrics.entities import entities_of
from kbert.models.token_classifier import BertTokenClassifier
from kbert.tasks.rows.packed_rows import shuffled_batches
from kbert.tasks.tagging.tagged_text import in_units, of_spans, of_text, of_words
from kbert.tasks.tagging.token_classification import TokenClassification
from kbert.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIAL, "em", "##bed", "##ding", "!", "a", "b", "서울", "##은", "e", "##e"]
WORDS = [
    of_words(["Ulm", "ist", "in", "Bayern"], ["B-LOC", "O", "O", "B-LOC"]),
    of_words(["Kim", "Lee", "!"], ["B-PER", "I-PER", "O"]),
]
POS = [of_words(["a", "b"], ["NOUN", "VERB"]), of_words(["a"], ["NOUN"])]
CUT = of_spans("서울은 a", [("LC", 0, 2)])


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


@pytest.fixture(scope="module")
def preset_tokenizer():
    return kbert.load_tokenizer("kbert_tiny_ko_en")


def outputs_of(packed, tags, labels):
    """Logits by which each unit has the tag asked for; one token, one unit."""
    outputs = np.zeros((len(packed.rows.token_ids), len(labels)), "float32")
    outputs[packed.places, [labels.index(tag) for tag in tags]] = 20
    return outputs


def gold_outputs(packed, labels):
    outputs = np.zeros((len(packed.rows.token_ids), len(labels)), "float32")
    outputs[np.arange(len(outputs)), packed.targets] = 20
    return outputs


def test_learned():
    task = TokenClassification().learned(WORDS)
    assert task.labels == ("O", "B-LOC", "B-PER", "I-LOC", "I-PER")
    assert (task.granularity, task.metric) == ("word", "f1")
    task = TokenClassification().learned([*WORDS, CUT])
    assert task.granularity == "character"
    task = TokenClassification(metric="macro_f1").learned(POS)
    assert task.labels == ("NOUN", "VERB")
    assert (task.granularity, task.metric) == ("word", "macro_f1")
    assert TokenClassification().learned(POS).metric == "accuracy"


@pytest.mark.parametrize(
    "arguments, examples, message",
    [
        ({}, [of_text("a b", "7")], "with tags; example 7 has none"),
        ({}, [of_words(["a"], ["O"])], "two different tags.*1 examples have O"),
        ({"metric": "f1"}, POS, "out of accuracy, macro_f1; got 'f1'"),
        ({"metric": "klue_character_f1"}, WORDS, "accuracy; got 'klue_character_f1'"),
    ],
)
def test_examples_that_teach_nothing(arguments, examples, message):
    with pytest.raises(ValueError, match=message):
        TokenClassification(**arguments).learned(examples)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"granularity": "token"}, "word or character; got 'token'"),
        ({"sequence_length": 2}, "at least 3.*sequence_length of 2"),
        ({"sequence_length": 8, "stride": 7}, "stride of 7"),
        ({"stride": 0}, "stride of 0"),
        ({"metric": "bleu"}, "Expected a metric out of f1, precision.*got 'bleu'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenClassification(**arguments)


def test_config_round_trip():
    task = TokenClassification(
        ("O", "B-LC", "I-LC"),
        "character",
        64,
        20,
        "klue_character_f1",
        1,
        "ner",
    )
    config = json.loads(json.dumps(task.to_config()))
    assert config["id2label"] == {"0": "O", "1": "B-LC", "2": "I-LC"}
    assert config["label2id"] == {"O": 0, "B-LC": 1, "I-LC": 2}
    assert config["kbert"] == {
        "task": "token_classification",
        "granularity": "character",
        "sequence_length": 64,
        "stride": 20,
        "metric": "klue_character_f1",
        "word_column": 1,
        "tag_column": "ner",
    }
    assert TokenClassification.from_config(config) == task


def test_config_of_transformers():
    config = {
        "architectures": ["BertForTokenClassification"],
        "id2label": {"0": "O", "10": "I-PER", "2": "B-PER"},
        "max_position_embeddings": 300,
    }
    task = TokenClassification.from_config(config)
    assert task.labels == ("O", "B-PER", "I-PER")
    assert (task.granularity, task.metric) == ("word", "f1")
    assert task.sequence_length == 300
    config["id2label"] = {"0": "NOUN", "1": "VERB"}
    assert TokenClassification.from_config(config).metric == "accuracy"


def test_batch(tokenizer):
    task = TokenClassification(sequence_length=16).learned(
        [of_words(["embed", "a", "!"], ["B-X", "I-X", "O"])]
    )
    examples = [
        of_words(["embed", "a", "!"], ["B-X", "I-X", "O"]),
        of_words(["b"], ["B-X"]),
    ]
    packed = task.pack(examples, tokenizer)
    inputs, targets, weights = task.batch(packed, np.array([1, 0]))
    assert inputs["token_ids"].tolist() == [
        [2, 10, 3, 0, 0, 0, 0, 0],
        [2, 5, 6, 9, 8, 3, 0, 0],
    ]
    assert targets.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 2, 0, 0, 0, 0]]
    counts = [[0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 1, 0, 0, 0]]
    assert np.allclose(weights, np.array(counts) * 16 / 4)
    assert (targets.dtype, weights.dtype) == ("int32", "float32")
    assert weights.mean() == pytest.approx(1)


def test_a_batch_in_which_nothing_counts(tokenizer):
    task = TokenClassification(("O", "B-X", "I-X"), "word")
    packed = task.pack([of_text("a"), of_text("")], tokenizer)
    _, targets, weights = task.batch(packed, np.array([0, 1]))
    assert not targets.any()
    assert not weights.any()
    assert np.isfinite(weights).all()


def test_the_loss_is_the_mean_over_what_counts(tokenizer):
    task = TokenClassification(sequence_length=16).learned(
        [of_words(["a", "b"], ["B-X", "O"])]
    )
    packed = task.pack([of_words(["a", "embed"], ["B-X", "O"])], tokenizer)
    _, targets, weights = task.batch(packed, np.array([0]))
    logits = np.random.default_rng(0).normal(size=(1, 8, 3)).astype("float32")
    loss = task.compile_arguments()["loss"](targets, logits, sample_weight=weights)
    logs = logits[0] - np.log(np.exp(logits[0]).sum(axis=1, keepdims=True))
    assert float(loss) == pytest.approx(-(logs[1, 1] + logs[2, 0]) / 2, abs=1e-5)


def test_answers_by_words(tokenizer):
    task = TokenClassification(("O", "B-X", "I-X"), "word")
    example = of_text("😀 b embedding! a")
    packed = task.pack([example, of_text("")], tokenizer)
    tags = ["O", "B-X", "I-X", "O", "B-X"]
    answer, empty = task.decode(outputs_of(packed, tags, task.labels), packed)
    assert answer["units"] == ["😀", "b", "embedding", "!", "a"]
    assert answer["tags"] == tags
    assert [
        (e["type"], e["text"], e["start"], e["end"]) for e in answer["entities"]
    ] == [("X", "b embedding", 2, 13), ("X", "a", 15, 16)]
    assert [e["score"] for e in answer["entities"]] == pytest.approx([1, 1], abs=1e-6)
    assert empty == {"entities": [], "units": [], "tags": []}
    assert json.loads(json.dumps(answer)) == answer


def test_answers_by_characters(tokenizer):
    task = TokenClassification(("O", "B-LC", "I-LC"), "character")
    packed = task.pack([of_text("a 서울은 b")], tokenizer)
    outputs = np.zeros((len(packed.rows.token_ids), 3), "float32")
    outputs[2, 1] = np.log(2)  # 서울: 2 to 1 to 1
    outputs[[1, 3, 4], 0] = 9
    (answer,) = task.decode(outputs, packed)
    assert answer["tags"] == ["O", "B-LC", "I-LC", "O", "O"]
    (entity,) = answer["entities"]
    assert entity.pop("score") == pytest.approx(0.5)
    assert entity == {"type": "LC", "text": "서울", "start": 2, "end": 4}


TROUBLE = [  # texts in which tokens and characters have little to do with each other
    "😀 QX서울Q 은 b",
    "ÉÉ e\u0301e Éa\u0301! b",
    "㎢ ﬁ ① a",
    "a\u200bb \u200b embed\u00adding",
    "서울은😀, \ufffd (b)…「a」",
    "👩‍👩‍👧 a 🇰🇷b",
    "x" * 250 + " a",
]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("granularity", ["word", "character"])
def test_entities_are_whole_and_in_place(lowercase, granularity):
    # Whatever the logits: entities are slices of the text between units' borders.
    tokenizer = BertTokenizer(TOKENS, lowercase=lowercase)
    task = TokenClassification(("O", "B-X", "I-X"), granularity, 12)
    examples = [of_text(text) for text in TROUBLE]
    packed = task.pack(examples, tokenizer)
    rng = np.random.default_rng(0)
    for _ in range(20):
        outputs = rng.normal(size=(len(packed.rows.token_ids), 3)).astype("float32")
        for example, answer in zip(examples, task.decode(outputs, packed), strict=True):
            units = in_units(example, granularity).units
            starts, limits = {a for a, _ in units}, {b for _, b in units}
            assert len(answer["tags"]) == len(units)
            for entity in answer["entities"]:
                assert entity["start"] in starts
                assert entity["end"] in limits
                own = example.text[entity["start"] : entity["end"]]
                assert entity["text"] == own
            assert len(answer["entities"]) == len(entities_of(answer["tags"]))


@pytest.mark.parametrize("lowercase", [True, False])
def test_gold_tags_by_words_come_back(lowercase):
    tokenizer = BertTokenizer(TOKENS, lowercase=lowercase)
    rng = np.random.default_rng(1)
    examples = []
    for text in TROUBLE:
        units = [text[a:b] for a, b in of_text(text).units]
        letters = rng.choice(["O", "B-X", "B-Y"], len(units))
        # What the tokenizer deletes whole has no token, hence O.
        tags = [
            "O" if unit in ("\u200b", "\ufffd", "\u200d") else str(letter)
            for unit, letter in zip(units, letters, strict=True)
        ]
        examples.append(of_words(units, tags))
    task = TokenClassification(sequence_length=10).learned(examples)
    packed = task.pack(examples, tokenizer)
    assert len(packed.rows) > len(examples)
    answers = task.decode(gold_outputs(packed, task.labels), packed)
    assert [tuple(a["tags"]) for a in answers] == [e.tags for e in examples]
    assert task.score(answers, examples)["f1"] == 1
    for answer, example in zip(answers, examples, strict=True):
        bare = [
            {k: v for k, v in e.items() if k != "score"} for e in answer["entities"]
        ]
        assert bare == task.gold_entities(example)


def test_scores_and_types(tokenizer):
    task = TokenClassification().learned(WORDS)
    answers = [
        {"tags": ["B-LOC", "O", "O", "B-PER"]},
        {"tags": ["B-PER", "I-PER", "O"]},
    ]
    scores = task.score(answers, WORDS)
    assert list(scores) == ["f1", "precision", "recall", "macro_f1", "accuracy"]
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(6 / 7)
    assert task.by_type(answers, WORDS)["PER"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
    }
    assert task.floor(WORDS) == 0.0


def test_scores_by_characters():
    task = TokenClassification().learned([CUT])
    scores = task.score([{"tags": ["B-LC", "O", "O", "O"]}], [CUT])
    assert scores["f1"] == 0
    assert scores["klue_character_f1"] == pytest.approx(1 / 2)
    # O: 2 right of 3 predicted and 2 true
    assert scores["klue_character_f1_as_published"] == pytest.approx((0.8 + 1) / 3)


def test_scores_of_plain_tags():
    task = TokenClassification().learned(POS)
    answers = [{"tags": ["NOUN", "NOUN"]}, {"tags": ["NOUN"]}]
    scores = task.score(answers, POS)
    assert scores == pytest.approx({"accuracy": 2 / 3, "macro_f1": 0.4})
    assert list(task.by_type(answers, POS)) == ["NOUN", "VERB"]
    assert task.floor(POS) == pytest.approx(2 / 3)
    assert task.gold_entities(POS[0]) == []


def test_tags_unseen_in_training_count_as_wrong(tokenizer):
    task = TokenClassification().learned([of_words(["a", "b"], ["B-X", "O"])])
    dev = [of_words(["a", "b"], ["B-X", "B-Y"])]
    expected = r"training had not \(B-Y\), on 1 of 2 units"
    with pytest.warns(UserWarning, match=expected):
        packed = task.pack(dev, tokenizer)
    assert packed.counted.tolist() == [False, True, False, False]
    answers = task.decode(gold_outputs(packed, task.labels), packed)
    assert task.score(answers, dev)["recall"] == 0.5


@pytest.mark.parametrize(
    "labels, chosen",
    [
        (("O", "B-X", "I-X", "E-X", "S-X"), "B-X E-X S-X O"),
        (("X-I", "X-B", "O"), "X-B X-I X-B O"),
        (("I-X", "O"), "I-X I-X O O"),
    ],
)
def test_foreign_labels_are_answered_in_bio(tokenizer, labels, chosen):
    task = TokenClassification(labels, "word")
    example = of_words(["a", "b", "a", "b"], ["B-X", "I-X", "B-X", "O"])
    packed = task.pack([example], tokenizer)
    assert packed.counted.sum() == 4
    outputs = outputs_of(packed, chosen.split(), labels)
    (answer,) = task.decode(outputs, packed)
    assert len(answer["tags"]) == 4
    spans = [(e["start"], e["end"]) for e in answer["entities"]]
    assert spans == ([(0, 3)] if labels[0] == "I-X" else [(0, 3), (4, 5)])
    if labels[0] != "I-X":
        assert answer["tags"] == list(example.tags)


def test_typed_lines(tokenizer):
    task = TokenClassification(("O", "B-X", "I-X"), "character")
    example = task.typed("a, 서울", 1)
    assert (example.text, example.tags) == ("a, 서울", None)
    packed = task.pack([example], tokenizer)
    outputs = np.zeros((len(packed.rows.token_ids), 3))
    assert task.decode(outputs, packed)[0]["units"] == ["a", ",", "서", "울"]


def test_read_uses_the_tasks_columns(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes("서울 NNP B-LC\n역 NN I-LC\n".encode("cp949"))
    task = TokenClassification(tag_column="1", encoding="cp949")
    assert [e.tags for e in task.read(str(path))] == [("NNP", "NN")]
    assert [e.tags for e in task.read(str(path), is_labelled=False)] == [None]
    assert task.group(CUT) is None
    assert task.calibrated([], []) is task


# Names that end where a token of the preset does, whatever particle follows: a token
# over the border of an entity, as ##수는 in 민수는, has one tag for both of its sides.
PEOPLE = ["지민", "지영", "서준", "하은", "수진", "Alice", "Bob", "Carol"]
PLACES = ["서울", "부산", "London", "Paris", "Berlin"]
SENTENCES = [
    "{p}는 어제 {q}에 갔다.",
    "{q}에서 {p}를 만났다!",
    "오늘 {p}와 {q}까지 걸었다",
    "{p} lives in {q}.",
    "In {q}, we met {p}?",
    "{q}의 날씨는 {p}도 몰랐다.",
]


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        template, person, place = map(str, map(rng.choice, (SENTENCES, PEOPLE, PLACES)))
        text, spans = "", []
        for part in template.replace("{", "|").replace("}", "|").split("|"):
            if part in ("p", "q"):
                word, kind = (person, "PS") if part == "p" else (place, "LC")
                spans.append((kind, len(text), len(text) + len(word)))
                part = word
            text += part
        examples.append(of_spans(text, spans))
    return examples


def test_learns_64_examples(preset_tokenizer):
    keras.utils.set_random_seed(0)
    examples = sentences(64, 0)
    task = TokenClassification(sequence_length=32).learned(examples)
    assert task.granularity == "character"
    packed = task.pack(examples, preset_tokenizer)
    model = task.build(kbert.load_backbone("kbert_tiny_ko_en"))
    assert isinstance(model, BertTokenClassifier)
    model.compile(keras.optimizers.Adam(2e-3), **task.compile_arguments())
    order = [
        batch
        for epoch in range(20)
        for batch in shuffled_batches(packed.rows.lengths, 32, 0, epoch)
    ]
    # One length, so that the model is traced once.
    padded = [padded_batch(task, packed, batch) for batch in order]
    model.fit(
        (batch for batch in padded),
        steps_per_epoch=len(order),
        shuffle=False,
        verbose=0,
    )
    inputs, _, _ = padded_batch(task, packed, np.arange(len(packed.rows)))
    outputs = np.array(model.predict(inputs, verbose=0))[inputs["padding_mask"] == 1]
    answers = task.decode(outputs, packed)
    assert task.score(answers, examples)["f1"] >= 0.99
    first = [(e["type"], e["text"]) for e in answers[0]["entities"]]
    assert first == [(e["type"], e["text"]) for e in task.gold_entities(examples[0])]


def padded_batch(task, packed, rows):
    inputs, targets, weights = task.batch(packed, rows)
    wide = 32 - targets.shape[1]

    def widen(array):
        return np.pad(array, ((0, 0), (0, wide)))

    return {k: widen(v) for k, v in inputs.items()}, widen(targets), widen(weights)
