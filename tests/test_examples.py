"""Every example runs, on small samples, and ends with the line it promises."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
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


def test_pretrain_with_fit(place):
    line = last_line(
        [
            sys.executable,
            ROOT / "examples" / "03_pretrain_with_fit.py",
            DATA / "text_sample_ko.txt",
            "work",
            "20",
        ],
        place,
    )
    assert len(line.split(", ")) == 5
