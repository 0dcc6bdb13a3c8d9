"""What the READMEs say is true: commands parse, the Python runs, links lead on."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kbert import cli

ROOT = Path(__file__).parents[1]
READMES = ["README.md", "README.ko.md"]


def blocks(readme, language):
    text = (ROOT / readme).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("readme", READMES)
def test_commands_parse(readme):
    lines = [line for block in blocks(readme, "bash") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    commands = [part for part in parts if part.startswith("kbert ")]
    assert len(commands) >= 7
    for command in commands:
        words = shlex.split(command, comments=True)[1:]
        cli._parser(words).parse_args(words)  # exits with 2 where one is wrong


@pytest.mark.parametrize("readme", READMES)
def test_both_readmes_have_the_set_up_commands(readme):
    first, second = blocks(readme, "bash")[:2]
    assert first.startswith("pip install . && kbert demo")
    assert second == "pip install -e '.[test]' && pytest\n"


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme):
    text = (ROOT / readme).read_text("utf-8")
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_korean_readme_shows_the_same_code():
    assert blocks("README.ko.md", "python") == blocks("README.md", "python")


def test_python_runs(tmp_path):
    (code,) = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "saved_models" / "by_hand" / "1" / "saved_model.pb").is_file()
