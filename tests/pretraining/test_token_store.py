"""The token store: golden arrays, whole or not there, equal through the memory map."""

import itertools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from kbert.pretraining import token_store
from kbert.pretraining.token_store import TokenStore, build_token_store

IDS = {letter: i for i, letter in enumerate("abcdef", 5)}


def tokenize(sentences):
    return [[IDS[word] for word in s.split() if word in IDS] for s in sentences]


def contents(store):
    return (
        store.tokens.tolist(),
        store.sentence_starts.tolist(),
        store.document_starts.tolist(),
    )


def test_golden_example(tmp_path):
    store = build_token_store([["a b", "c"], ["d e f"]], tokenize, tmp_path / "store")
    assert contents(store) == ([5, 6, 7, 8, 9, 10], [0, 2, 3, 6], [0, 2, 3])
    assert (store.num_documents, store.num_sentences, store.num_tokens) == (2, 3, 6)
    dtypes = (store.tokens.dtype, store.sentence_starts.dtype)
    assert dtypes == (np.dtype("int32"), np.dtype("int64"))
    assert isinstance(store.tokens, np.memmap)


def test_about_is_kept_beside_the_counts(tmp_path):
    build_token_store([["a"], ["b"]], tokenize, tmp_path / "s", {"files": ["글.txt"]})
    assert TokenStore(tmp_path / "s").about == {
        "files": ["글.txt"],
        "num_documents": 2,
        "num_sentences": 2,
        "num_tokens": 2,
    }
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == [
        "document_starts.npy",
        "sentence_starts.npy",
        "store.json",
        "tokens.npy",
    ]


def test_what_has_no_tokens_is_left_out(tmp_path):
    documents = [["?", "a"], ["?", "?"], ["b c", "?"], ["?"], ["d"]]
    store = build_token_store(documents, tokenize, tmp_path / "store")
    assert contents(store) == ([5, 6, 7, 8], [0, 1, 3, 4], [0, 1, 2, 3])


def test_chunks_change_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    documents = [
        [" ".join(rng.choice(list("abcdef?"), rng.integers(0, 5))) for _ in range(n)]
        for n in rng.integers(1, 9, 200)
    ]
    whole = build_token_store(documents, tokenize, tmp_path / "whole")
    monkeypatch.setattr(token_store, "_CHUNK", 7)
    chunked = build_token_store(documents, tokenize, tmp_path / "chunked")
    assert contents(chunked) == contents(whole)

    expected = [tokenize(document) for document in documents]
    expected = [[s for s in document if s] for document in expected]
    expected = [document for document in expected if document]
    tokens, sentences, starts = contents(TokenStore(tmp_path / "whole"))
    rebuilt = [
        [tokens[a:b] for a, b in zip(sentences[i:j], sentences[i + 1 : j + 1])]
        for i, j in itertools.pairwise(starts)
    ]
    assert rebuilt == expected


def broken(sentences):
    raise RuntimeError("no tokenizer today")


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="no tokenizer today"):
        build_token_store([["a"]], broken, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_store_that_was_there(tmp_path):
    build_token_store([["a b"], ["c"]], tokenize, tmp_path / "store")
    with pytest.raises(RuntimeError, match="no tokenizer today"):
        build_token_store([["a"]], broken, tmp_path / "store")
    assert [p.name for p in tmp_path.iterdir()] == ["store"]
    assert contents(TokenStore(tmp_path / "store"))[0] == [5, 6, 7]


def test_building_again_replaces(tmp_path):
    build_token_store([["a b"], ["c"]], tokenize, tmp_path / "store")
    build_token_store([["d"]], tokenize, tmp_path / "store")
    assert contents(TokenStore(tmp_path / "store")) == ([8], [0, 1], [0, 1])
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


KILLED = """
import os, signal, sys
from kbert.pretraining.token_store import build_token_store

def tokenize(sentences):
    if "end" in sentences:
        os.kill(os.getpid(), signal.SIGKILL)
    return [[1, 2, 3]] * len(sentences)

documents = [["x"] * 5000, ["x"] * 5000, ["end"]]
build_token_store(documents, tokenize, sys.argv[1])
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_killed_build_is_not_a_store(tmp_path, exists):
    if exists:
        build_token_store([["a b"], ["c"]], tokenize, tmp_path / "store")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "store")]
    path = os.pathsep.join(p for p in sys.path if p)
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    if exists:
        assert contents(TokenStore(tmp_path / "store"))[0] == [5, 6, 7]
    else:
        with pytest.raises(FileNotFoundError, match="Expected a token store in"):
            TokenStore(tmp_path / "store")


def test_no_tokens_at_all(tmp_path):
    with pytest.raises(ValueError, match="the corpus has no tokens"):
        build_token_store([["?"], ["?"]], tokenize, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"it has no store\.json"):
        TokenStore(tmp_path)


def test_files_are_plain_npy(tmp_path):
    build_token_store([["a b", "c"], ["d e f"]], tokenize, tmp_path / "store")
    tokens = np.load(tmp_path / "store" / "tokens.npy")
    assert tokens.tolist() == [5, 6, 7, 8, 9, 10]
    about = json.loads((tmp_path / "store" / "store.json").read_text("utf-8"))
    assert about["num_tokens"] == 6
