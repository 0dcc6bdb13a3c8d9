"""What is said of a corpus before it is trained on."""

import json

import pytest

import kbert
from kbert.commands.pretrain_corpus import (
    corpus_facts,
    open_or_build_store,
    tell_corpus,
    unknown_share,
)
from kbert.pretraining.batches import PretrainingBatches
from kbert.pretraining.token_store import build_token_store

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
QUICK = {"steps": 2, "evaluation_interval": 2, "batch_size": 4, "sequence_length": 16}


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(TOKENS) + "\n")
    return str(path)


def corpus(tmp_path, sentences, num_documents=12):
    text = "\n\n".join("\n".join(sentences) for _ in range(num_documents))
    (tmp_path / "corpus.txt").write_text(text, "utf-8")
    return [str(tmp_path / "corpus.txt")]


def test_documents_of_one_sentence_are_named(tmp_path, vocabulary, capsys):
    texts = corpus(tmp_path, ["a b c d"])
    output = kbert.pretrain(
        texts, vocabulary, str(tmp_path / "bert"), held_out=0.25, **QUICK
    )
    said = capsys.readouterr()
    run = json.loads((output / "run.json").read_text("utf-8"))
    assert run["corpus"] == {
        "unknown_share": 0.0,
        "random_share": {"training": 1.0, "held_out": 1.0},
    }
    assert "next sentence prediction can learn nothing from this corpus" in said.err
    assert "100.0% of its pairs are random" in said.err
    assert "documents of several sentences, one a line with an empty" in said.err
    assert "UserWarning" not in said.err
    assert "random pairs of sentences: 100.0% training, 100.0% held out" in said.out
    assert ", random pairs 1.0000" in said.out
    assert run["last_evaluation"]["val_next_sentence_random"] == 1.0
    report = (output / "report.html").read_text("utf-8")
    assert "100.00% of the pairs are random" in report


def test_unknown_tokens_are_named(tmp_path, vocabulary, capsys):
    texts = corpus(tmp_path, ["a b 가 나", "c d 다", "e f", "g h a b"])
    tokenizer = kbert.BertTokenizer(vocabulary)
    store = open_or_build_store(texts, tokenizer, tmp_path / "store")
    sides = [
        PretrainingBatches(
            store, tokenizer.vocabulary, 4, 16, held_out=0.25, validation=side
        )
        for side in (False, True)
    ]
    facts = corpus_facts(store, tokenizer, *sides)
    tell_corpus(facts, tokenizer, texts)
    said = capsys.readouterr()
    assert facts["unknown_share"] == pytest.approx(3 / 13)
    assert "[UNK]: 23.08% of the tokens" in said.out
    assert "Warning: 23.1% of the tokens are [UNK]" in said.err
    assert f"kbert vocab {tmp_path / 'corpus.txt'} --output my-vocab" in said.err
    assert "next sentence" not in said.err
    shares = facts["random_share"]
    assert 0.3 < shares["training"] < 0.9 and 0.2 < shares["held_out"] < 0.9
    tell_corpus({"unknown_share": 0.009, "random_share": shares}, tokenizer, texts)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "held_out", "words"),
    [
        (3, 0.01, "the corpus has 3, of which held_out=0.01 takes 2. Add documents"),
        (2, 0.01, r"the corpus has 2, of which .* or none \(--held-out 0\)"),
        (8, 0.95, "the corpus has 8, of which held_out=0.95 takes 8"),
        (1, 0.0, "at least 2 documents.*the corpus has 1. Separate documents"),
    ],
)
def test_too_few_documents_are_counted(tmp_path, count, held_out, words):
    documents = [[[5, 6], [7, 8]]] * count
    store = build_token_store(documents, lambda rows: rows, tmp_path / "store")
    with pytest.raises(ValueError, match=words):
        PretrainingBatches(store, kbert.Vocabulary(TOKENS), 4, 16, held_out=held_out)


def test_the_share_of_random_pairs(tmp_path):
    documents = [[[5, 6, 5]] * 20] * 6
    store = build_token_store(documents, lambda rows: rows, tmp_path / "store")
    batches = PretrainingBatches(store, kbert.Vocabulary(TOKENS), 64, 16)
    labels = [batches.batch(i)[1]["next_sentence"].mean() for i in range(3)]
    assert batches.random_share == pytest.approx(sum(labels) / 3, abs=0.15)
    assert 0.4 < batches.random_share < 0.75
    assert unknown_share(store, 6) == pytest.approx(1 / 3)


def test_a_store_of_single_sentences_warns(tmp_path):
    with pytest.warns(UserWarning, match="Every document is one sentence"):
        build_token_store([[[5]], [[6]]], lambda rows: rows, tmp_path / "store")
