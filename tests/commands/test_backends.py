"""Every command on every backend: it works, or is refused before anything is done."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_models

import kbert
from kbert.cli import COMMANDS, main
from kbert.commands import backends
from kbert.commands.backends import check_backend, keras_backend
from kbert.commands.early_checks import UsageError

TESTS = Path(__file__).parents[1]
TEXTS = ["영화 좋다", "나", "the movie a movie . ! ( )", "나 다 " * 40]
TABLE = "text\tlabel\n" + "영화 좋다\t긍정\n영화를 봤다\t부정\nthe movie\tneutral\n" * 3
CORPUS = "영화 좋다\n나가 봤다\n\nthe movie\na movie\n\n" * 3
# Commands and their arguments, run in a directory with the files and models below.
WORKS = {
    "vocab": "corpus.txt --output v --held-out 0",
    "tokenize": "--vocabulary pretrained 영화",
    "extend-vocab": "classifier --tokens tokens.txt --output more",
    "prune-vocab": "classifier --texts corpus.txt --output fewer",
    "convert": "pretrained --to google-tf1 --output google",
    "doctor": "pretrained",
    "extract-features": "pretrained corpus.txt",
    "pretrain": "corpus.txt --vocabulary pretrained --steps 2 --evaluation-interval 1 "
    "--batch-size 2 --sequence-length 16 --held-out 0.4 --output bert",
    "fill-mask": "pretrained 영화[MASK]",
    "finetune": "classification --model pretrained --train table.tsv --dev table.tsv "
    "--epochs 1 --batch-size 4 --output tuned",
    "evaluate": "classifier table.tsv --output evaluated",
    "predict": "tagger corpus.txt",
}
REFUSED = {
    "export": "classifier --output saved",
    "export-onnx": "classifier --output onnx",
    "export-litert": "classifier --output litert",
    "demo": "--output demo",
    "finetune": "classification --model pretrained --train table.tsv --output tuned "
    "--strategy mirrored",
    "pretrain": "corpus.txt --vocabulary pretrained --output bert --strategy mirrored",
}
NEITHER = {"serve"}  # has its own engines, and no Keras


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with what the commands read."""
    path = tmp_path_factory.mktemp("backends")
    for kind in ("classifier", "tagger", "pretrained"):
        small_models.KINDS[kind](path / kind)
    (path / "table.tsv").write_text(TABLE, "utf-8")
    (path / "corpus.txt").write_text(CORPUS, "utf-8")
    (path / "tokens.txt").write_text("영화관\n", "utf-8")
    return path


def test_the_table_has_every_command():
    assert WORKS.keys() | REFUSED.keys() | NEITHER == {c.name for c in COMMANDS}


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("command", REFUSED)
def test_refused_before_anything_is_done(place, command, backend, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(backends, "keras_backend", lambda: backend)
    before = sorted(path.name for path in place.iterdir())
    assert main([command, *REFUSED[command].split()]) == 2
    said = capsys.readouterr().err
    assert f"needs Keras' backend tensorflow; KERAS_BACKEND is {backend}." in said
    assert "Set KERAS_BACKEND=tensorflow for this command" in said
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_backend_that_does_not_train(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(backends, "keras_backend", lambda: "numpy")
    for command in ("finetune", "pretrain"):
        assert main([command, *WORKS[command].split()]) == 2
        words = "Training needs Keras' backend tensorflow or jax or torch; KERAS_BACKEN"
        assert words in capsys.readouterr().err
    check_backend("Nothing", ("numpy",))
    with pytest.raises(UsageError, match="That needs Keras' backend jax; .* is numpy"):
        check_backend("That", ("jax",))


def test_the_backend_is_known_without_keras(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_backend() == "jax"
    monkeypatch.delenv("KERAS_BACKEND")
    assert keras_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert keras_backend() == "torch"


ANSWERS = """
import json, sys
import kbert
answer = lambda kind: kbert.load_answerer(kind)(sys.argv[1:])
print(json.dumps([answer("classifier"), answer("tagger")]))
"""
RUNS = """
import json, sys
from kbert.cli import main
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) in (0, 1 if arguments[0] == "doctor" else 0), arguments
"""


def run(backend, place, program, *arguments):
    """The last line that a program prints on another backend."""
    package = "jax" if backend == "jax" else "torch"
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'kbert[test]'")
    environment = {
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), *filter(None, sys.path)]),
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=place,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().split("\n")[-1]


def assert_same(found, expected):
    for theirs, ours in zip(found, expected, strict=True):
        if "scores" in ours:
            assert theirs["scores"] == pytest.approx(ours["scores"], abs=1e-5)
            continue
        for one, other in zip(theirs["entities"], ours["entities"], strict=True):
            assert one.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
            assert one == other


@pytest.mark.parametrize(
    "backend", ["jax", pytest.param("torch", marks=pytest.mark.slow)]
)
def test_answers_are_those_of_tensorflow(place, backend):
    classified, tagged = json.loads(run(backend, place, ANSWERS, *TEXTS))
    for kind, found in (("classifier", classified), ("tagger", tagged)):
        assert_same(found, kbert.load_answerer(place / kind)(TEXTS))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_other_command_works(place, backend, tmp_path):
    commands = [[name, *line.split()] for name, line in WORKS.items()]
    for arguments in commands:
        if "--output" in arguments:
            where = arguments.index("--output") + 1
            arguments[where] = str(tmp_path / arguments[where])
    run(backend, place, RUNS, json.dumps(commands))
    assert (tmp_path / "tuned" / "evaluations" / "dev" / "scores.json").is_file()
    assert (tmp_path / "bert" / "report.html").is_file()
