"""Vocabulary commands end to end: learned with a report, extended, pruned."""

import json
from pathlib import Path

import foreign_directories
import keras
import numpy as np
import pytest

from kbert.checkpoints.load_and_save import (
    load,
    load_tokenizer,
    load_vocabulary,
    save,
)
from kbert.commands.early_checks import UsageError
from kbert.commands.evaluate import evaluate
from kbert.commands.vocab import extend_vocab, prune_vocab, vocab
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier
from kbert.tasks.classification.text_classification import TextClassification
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary_learner import learn_vocabulary
from kbert.text.vocabulary_report import vocabulary_report

SAMPLE = Path(__file__).parents[1] / "data" / "text_sample_ko.txt"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIAL, "[unused1]", "나", "##는", "학교", "##에", "간", "##다", "play"]


@pytest.fixture
def directory(tmp_path):
    """A classifier as `kbert finetune` leaves it, with labels and columns."""
    backbone = BertBackbone(len(TOKENS), 1, 2, 16, 24, max_sequence_length=12)
    model = BertTextClassifier(backbone, 2)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    task = TextClassification(("bad", "good"), ("document",), "answer", 10)
    tokenizer = ReferenceTokenizer(TOKENS, lowercase=True, strip_accents=False)
    save(model, tmp_path / "model", tokenizer, task.to_config())
    return str(tmp_path / "model")


def written(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def test_learning_reports_on_lines_it_did_not_learn_from(tmp_path, capsys):
    lines = [line for line in SAMPLE.read_text("utf-8").split("\n") if line.strip()]
    held = lines[9::10]
    kept = written(tmp_path / "kept.txt", *(x for x in lines if x not in held))
    output = vocab(
        [str(SAMPLE)], str(tmp_path / "out"), 1400, max_alphabet=500, held_out=0.1
    )
    vocabulary = load_vocabulary(output)
    assert vocabulary == learn_vocabulary(kept, 1400, max_alphabet=500)
    stored = json.loads((output / "vocabulary_report.json").read_text("utf-8"))
    stripped = [line.strip() for line in held]
    assert stored == vocabulary_report(ReferenceTokenizer(vocabulary), stripped)
    assert stored["num_texts"] == len(held)
    shown = capsys.readouterr().out
    assert "1,400 tokens, the last one learned: " in shown
    assert "On one line in 10, not learned from:" in shown
    assert "pieces per word" in shown


def test_without_lines_to_hold_out(tmp_path, capsys):
    text = written(tmp_path / "text.txt", *["ab ab", ""] * 20)
    first = vocab([text], str(tmp_path / "first"), 50, held_out=0.0)
    assert "report" not in capsys.readouterr().out
    second = vocab([text], str(tmp_path / "second"), 50)
    assert "No report: fewer than 100 lines" in capsys.readouterr().out
    for output in (first, second):
        assert sorted(file.name for file in output.iterdir()) == [
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ]
    assert load_vocabulary(first) == load_vocabulary(second)
    with pytest.raises(ValueError, match="at least 0 and at most 0.5; got 0.6"):
        vocab([text], str(tmp_path / "third"), held_out=0.6)
    with pytest.raises(ValueError, match="in the texts; there is none"):
        vocab([written(tmp_path / "text.txt")], str(tmp_path / "third"))


def assert_still_the_classifier(output, rows):
    config = json.loads((output / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["vocab_size"] == rows
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["kbert"]["text_columns"] == ["document"]
    settings = json.loads((output / "tokenizer_config.json").read_text("utf-8"))
    assert (settings["do_lower_case"], settings["strip_accents"]) == (True, False)


def test_extending_a_classifier(directory, tmp_path, capsys):
    # Of these, 학교 is there, PLAY is once lower-cased, and 나-a is never one word.
    names = ["나는", "", "학교", "PLAY", "Café", "##간다", "나-a", "나는"]
    tokens = written(tmp_path / "tokens.txt", *names)
    data = written(
        tmp_path / "data.tsv", "document\tanswer", "나는 간다\tgood", "학교에\tbad"
    )
    output = extend_vocab(directory, tokens, str(tmp_path / "out"))
    assert load_vocabulary(output).tokens == (*TOKENS, "나는", "café", "##간다", "나-a")
    assert_still_the_classifier(output, 17)
    shown = capsys.readouterr().out
    assert "13 tokens -> 17: 4 new, 0 dropped; model.safetensors 0.0 MB ->" in shown
    assert "No text is cut into 1 of them" in shown and "ideographs: 나-a" in shown
    old, new = (
        load(d).backbone.embeddings.token_embedding.embeddings.numpy()
        for d in (directory, output)
    )
    assert np.array_equal(new[:13], old)
    assert np.array_equal(new[13], (old[6] + old[7]) / 2)
    assert evaluate(str(output), data)["num_examples"] == 2

    few = written(tmp_path / "few.txt", "나는")
    placed = extend_vocab(directory, few, str(tmp_path / "out"), True, overwrite=True)
    assert load_vocabulary(placed).tokens == (*SPECIAL, "나는", *TOKENS[6:])
    assert_still_the_classifier(placed, 13)
    assert "13 tokens -> 13: 1 new, 1 dropped" in capsys.readouterr().out


def test_markers_for_a_classifier(directory, tmp_path):
    markers = ["<e1>", "</e1>"]
    output = extend_vocab(directory, output=str(tmp_path / "out"), user_tokens=markers)
    assert load_vocabulary(output).tokens == (*TOKENS, *markers)
    assert_still_the_classifier(output, 15)
    tokenizer = load_tokenizer(output)
    (ids,) = tokenizer(["학교<e1>학교</e1>"]).to_list()
    school = TOKENS.index("학교")
    assert ids == [school, 13, school, 14]
    with pytest.raises(ValueError, match="all of --user-tokens are there already"):
        extend_vocab(
            str(output), output=str(tmp_path / "more"), user_tokens=markers[:1]
        )
    for wrong in ({"user_tokens": markers}, {"output": str(tmp_path / "more")}):
        with pytest.raises(UsageError, match="Expected --(output|tokens, --user-tok)"):
            extend_vocab(directory, **wrong)


def test_pruning_a_classifier(directory, tmp_path, capsys):
    texts = written(tmp_path / "texts.txt", "나는 간다", "", "나")
    data = written(
        tmp_path / "data.tsv", "document\tanswer", "나는 간다\tgood", "나\tbad"
    )
    output = prune_vocab(directory, [texts], str(tmp_path / "out"))
    assert load_vocabulary(output).tokens == (*SPECIAL, "나", "##는", "간", "##다")
    assert_still_the_classifier(output, 9)
    assert "13 tokens -> 9: 0 new, 4 dropped" in capsys.readouterr().out
    assert evaluate(str(output), data) == evaluate(directory, data)
    fewer = prune_vocab(directory, [texts], str(tmp_path / "fewer"), min_count=3)
    assert load_vocabulary(fewer) == load_vocabulary(output)  # characters stay


def test_a_pretrainer_keeps_its_heads(tmp_path):
    keras.utils.set_random_seed(0)
    backbone = BertBackbone(len(TOKENS), 1, 2, 16, 24, max_sequence_length=12)
    tokenizer = ReferenceTokenizer(TOKENS)
    save(BertPretrainer(backbone), tmp_path / "model", tokenizer)
    tokens = written(tmp_path / "tokens.txt", "나는")
    output = extend_vocab(str(tmp_path / "model"), tokens, str(tmp_path / "out"))
    model = load(output)
    assert isinstance(model, BertPretrainer)
    assert model.masked_lm_head.output_bias.shape == (14,)


def test_errors(directory, tmp_path):
    output = str(tmp_path / "out")
    tokens = written(tmp_path / "tokens.txt", "학교", "나")
    with pytest.raises(
        ValueError, match="does not have, one a line; all 2 in .*tokens"
    ):
        extend_vocab(directory, tokens, output)
    bad = written(tmp_path / "bad.txt", "나는", "두 단어")
    with pytest.raises(ValueError, match="bad.txt: .*white space.*got '두 단어'"):
        extend_vocab(directory, bad, output)
    many = written(tmp_path / "many.txt", "나는", "너는")
    with pytest.raises(ValueError, match="many.txt: .*for 2 new ones; .* has 1. Leave"):
        extend_vocab(directory, many, output, onto_unused=True)
    with pytest.raises(FileNotFoundError, match="nowhere is neither"):
        extend_vocab("nowhere", tokens, output)
    with pytest.raises(ValueError, match="min_count of at least 1; got 0"):
        prune_vocab(directory, [tokens], output, min_count=0)
    with pytest.raises(FileExistsError, match="does not exist yet"):
        prune_vocab(directory, [tokens], directory)
    assert not Path(output).exists()


@pytest.mark.parametrize(
    "write",
    [foreign_directories.h5_classifier, foreign_directories.sentence_transformers],
)
def test_directories_of_other_makes(write, tmp_path, capsys):
    write(tmp_path / "model")
    tokens = written(tmp_path / "tokens.txt", "moviegoer")
    output = extend_vocab(str(tmp_path / "model"), tokens, str(tmp_path / "out"))
    assert "22 tokens -> 23: 1 new, 0 dropped" in capsys.readouterr().out
    own, new = load(tmp_path / "model"), load(output)
    assert type(new) is type(own)
    ours, theirs = (getattr(model, "text_vectors", None) for model in (own, new))
    assert str(ours) == str(theirs)  # the pooling, where there is one
