"""Tiny models of every kind, as directories; random weights that are spread wide."""

from pathlib import Path

import keras

import kbert

TOKENS = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    *["영화", "##가", "##를", "좋", "##다", "봤", "가", "##나", "나", "다"],
    *["the", "movie", "a", "##b", ".", "!", "(", ")"],
]
LABELS = ("부정", "neutral", "긍정")
TAGS = ("O", "B-PS", "I-PS", "B-LC", "I-LC")


def backbone(seed: int = 7, **arguments) -> kbert.BertBackbone:
    """2 layers, the same weights each time; `arguments` rule over those here."""
    keras.utils.set_random_seed(seed)
    small = {
        "vocabulary_size": len(TOKENS),
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "max_sequence_length": 64,
        "initializer_range": 0.5,
    }
    return kbert.BertBackbone(**small | arguments)


def save(task, path: Path) -> Path:
    """The model that a task builds, with the task in its directory."""
    tokenizer = kbert.BertTokenizer(TOKENS)
    return kbert.save(task.build(backbone()), path, tokenizer, task.to_config())


def classifier(path: Path) -> Path:
    return save(kbert.TextClassification(LABELS, sequence_length=24), path)


def pair_classifier(path: Path) -> Path:
    columns = ("premise", "hypothesis")
    return save(kbert.TextClassification(LABELS, columns, sequence_length=24), path)


def several_labels(path: Path) -> Path:
    problem = "multi_label_classification"
    task = kbert.TextClassification(LABELS, sequence_length=24, problem_type=problem)
    return save(task, path)


def regression(path: Path) -> Path:
    columns = ("sentence1", "sentence2")
    task = kbert.TextClassification(
        (), columns, sequence_length=24, problem_type="regression"
    )
    return save(task, path)


def tagger(path: Path) -> Path:
    return save(kbert.TokenClassification(TAGS, "word", sequence_length=24), path)


def question_answerer(path: Path) -> Path:
    task = kbert.QuestionAnswering(
        sequence_length=32,
        stride=8,
        max_question_length=8,
        max_answer_length=6,
        n_best=5,
        has_no_answer=True,
    )
    return save(task, path)


def multiple_choice(path: Path) -> Path:
    return save(kbert.MultipleChoice(sequence_length=24), path)


def pretrained(path: Path) -> Path:
    model = kbert.BertPretrainer(backbone())
    return kbert.save(model, path, kbert.BertTokenizer(TOKENS))


def encoder(path: Path) -> Path:
    return kbert.save(backbone(), path, kbert.BertTokenizer(TOKENS))


KINDS = {
    "classifier": classifier,
    "pair_classifier": pair_classifier,
    "several_labels": several_labels,
    "regression": regression,
    "tagger": tagger,
    "question_answerer": question_answerer,
    "multiple_choice": multiple_choice,
    "pretrained": pretrained,
    "encoder": encoder,
}
