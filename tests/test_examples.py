"""Every example runs, on small samples, and ends with the line it promises."""

import ast
import contextlib
import csv
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import kbert

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
SAMPLES = ROOT / "examples" / "data"
NSMC = ROOT / "kbert" / "presets" / "samples" / "nsmc_train.tsv"


@pytest.fixture
def place(tmp_path):
    """A directory to run in, an environment that finds kbert, and a `kbert` command."""
    program = tmp_path / "bin" / "kbert"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kbert "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }
    lines = NSMC.read_text("utf-8").splitlines()
    (tmp_path / "train.tsv").write_text("\n".join(lines[:401]) + "\n", "utf-8")
    return tmp_path, environment


def last_line(command, place):
    directory, environment = place
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture
def last_line_here(place, monkeypatch):
    """The last line of a Python example, in this process: TensorFlow is there already.

    Its names are its own, as in a script. The second example runs as one, in a process.
    """

    def run(example, *arguments):
        path = str(ROOT / "examples" / example)
        monkeypatch.chdir(place[0])
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            runpy.run_path(path, run_name="__main__")
        return shown.getvalue().strip().splitlines()[-1]

    return run


def test_six_commands(place):
    directory, environment = place
    environment["VOCABULARY_SIZE"] = "1500"
    (directory / "text").mkdir()
    sample = (DATA / "text_sample_ko.txt").read_text("utf-8")
    with open(directory / "train.tsv", encoding="utf-8") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        reviews = [row["document"] for row in rows]
    (directory / "text" / "a.txt").write_text(
        sample + "\n\n" + "\n".join(reviews) + "\n", "utf-8"
    )
    line = last_line(
        [
            ROOT / "examples" / "01_six_commands.sh",
            "text",
            "train.tsv",
            "train.tsv",
            "work",
            "20",
        ],
        place,
    )
    assert line == "work/saved_models/classifier/1"


def test_classify_with_fit(place):
    line = last_line(
        [sys.executable, ROOT / "examples" / "02_classify_with_fit.py", "train.tsv"],
        place,
    )
    assert line in {f"[b'{a}' b'{b}']" for a in "01" for b in "01"}


def test_pretrain_with_fit(last_line_here):
    text = DATA / "text_sample_ko.txt"
    line = last_line_here("03_pretrain_with_fit.py", text, "work", "20")
    assert len(line.split(", ")) == 5


@pytest.mark.slow
def test_classify_pairs(last_line_here):
    labels = ast.literal_eval(last_line_here("04_classify_pairs.py", SAMPLES))
    assert len(labels) == 2
    assert set(labels) <= {"contradiction", "entailment", "neutral"}
    assert labels == ["entailment", "contradiction"]  # of pairs seen in training


@pytest.mark.parametrize(
    "options", [[], pytest.param(["--lora", "8"], marks=pytest.mark.slow)]
)
def test_tag(last_line_here, options):
    found = ast.literal_eval(last_line_here("05_tag.py", SAMPLES, *options))
    assert ("PER", "김서연") in found
    assert {kind for kind, _ in found} <= {"PER", "LOC", "ORG", "DAT"}


def test_regression(last_line_here):
    line = last_line_here("06_regression.py", SAMPLES)
    alike, apart = map(float, line.strip("[]").split())
    assert alike > apart + 1  # 4.4 and 0.2 in training


def test_answer_questions(last_line_here):
    assert "1937" in last_line_here("07_answer_questions.py", SAMPLES)


def test_onnx_runtime(place, tmp_path):
    pytest.importorskip("tf2onnx")
    task = kbert.TextClassification(("나쁘다", "좋다"), sequence_length=32)
    model = task.build(kbert.load_backbone("kbert_tiny_ko_en"))
    tokenizer = kbert.load_tokenizer("kbert_tiny_ko_en")
    kbert.save(model, tmp_path / "films", tokenizer, task.to_config())
    version = kbert.export_onnx(str(tmp_path / "films"), str(tmp_path / "onnx_models"))
    texts = ("재미있다!", "정말 시간이 아깝다")
    path = ROOT / "examples" / "09_onnx_runtime.py"
    line = last_line([sys.executable, path, version, *texts], place)
    examples = [task.typed(text, 1) for text in texts]
    answer = kbert.answer(model, task, tokenizer, examples)[-1]
    label, score, text = line.split(" ", 2)
    assert (label, text) == (answer["label"], texts[-1])
    assert float(score) == pytest.approx(answer["score"], abs=1e-3)


@pytest.mark.parametrize(
    "example", sorted(path.name for path in (ROOT / "examples").glob("0[4-7]*.py"))
)
def test_an_example_is_short(example):
    lines = (ROOT / "examples" / example).read_text("utf-8").splitlines()
    docstring = ast.parse("\n".join(lines)).body[0]
    code = [line for line in lines[docstring.end_lineno :] if line.strip()]
    assert len(code) <= 30
    assert f"python examples/{example} examples/data" in docstring.value.value
    assert "Last line: " in docstring.value.value


def test_samples_are_what_their_readme_says():
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 200_000
    rows = {"entailment": (87, 21), "similarity": (60, 12)}
    for name, counts in rows.items():
        for part, count in zip(("train", "dev"), counts, strict=True):
            text = (SAMPLES / f"{name}_{part}.tsv").read_text("utf-8")
            assert len(text.splitlines()) == 1 + count
    blocks = {"entities": (87, 21, "txt"), "entities_by_character": (69, 15, "tsv")}
    for name, (*counts, suffix) in blocks.items():
        for part, count in zip(("train", "dev"), counts, strict=True):
            text = (SAMPLES / f"{name}_{part}.{suffix}").read_text("utf-8")
            assert len(text.split("\n\n")) == count


def test_samples_are_read_by_the_tasks():
    tagging, answering = kbert.TokenClassification(), kbert.QuestionAnswering()
    for part, words, characters, questions in (
        ("train", 87, 69, 70),
        ("dev", 21, 15, 16),
    ):
        examples = list(tagging.read(str(SAMPLES / f"entities_{part}.txt")))
        assert len(examples) == words
        path = SAMPLES / f"entities_by_character_{part}.tsv"
        assert len(list(tagging.read(str(path)))) == characters
        path = SAMPLES / f"questions_{part}.json"
        assert len(list(answering.read(str(path)))) == questions
