"""Ten commands that cannot work: how soon each is refused, and what it leaves behind.

    python benchmarks/wrong_commands.py [--root DIRECTORY-OF-ANOTHER-CHECKOUT]

Each runs in a process of its own in a fresh directory with a table, a text file, an
output that exists and an unfinished run. Prints seconds, the exit code, what is new
in the directory, and the first line of the message.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PRESET = "kbert_tiny_ko_en"
_FINETUNE = "finetune classification --train train.tsv"
COMMANDS = {
    "no such model": "predict nowhere train.tsv",
    "no such data": f"evaluate {PRESET} trian.tsv",
    "output exists": f"{_FINETUNE} --output there",
    "unfinished run": f"{_FINETUNE} --output begun",
    "misspelt task": "finetune clasification --train train.tsv --output new",
    "strategy gpu": f"{_FINETUNE} --output new --strategy gpu",
    "no such encoding": f"{_FINETUNE} --output new --encoding cp94",
    "no vocabulary": "pretrain corpus.txt --vocabulary nowhere --output new",
    "no batch": f"pretrain corpus.txt --vocabulary {PRESET} --output new "
    "--batch-size 0",
    "misspelt value": f"export {PRESET} --output new --pooling max",
}


def fill(directory: Path) -> None:
    """What the commands meet."""
    rows = [f"영화가 {word}\t{word[0]}" for word in ("좋다", "나쁘다") * 20]
    (directory / "train.tsv").write_text("\n".join(["text\tlabel", *rows]), "utf-8")
    corpus = "나는 학교에 간다.\n집에 온다.\n\n" * 40
    (directory / "corpus.txt").write_text(corpus, "utf-8")
    for name in ("there", "begun.unfinished"):
        (directory / name).mkdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    root = parser.parse_args().root.resolve()
    environment = os.environ | {"PYTHONPATH": str(root)}
    print("| | seconds | exit code | left behind | message |\n|---|---|---|---|---|")
    total = 0.0
    for title, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            fill(directory)
            before = {*directory.rglob("*")}
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "kbert", *command.split()],
                capture_output=True,
                text=True,
                check=False,
                cwd=directory,
                env=environment,
            )
            seconds = time.perf_counter() - start
            total += seconds
            new = {path.relative_to(directory) for path in directory.rglob("*")}
            new -= {path.relative_to(directory) for path in before}
            left = ", ".join(sorted(str(path) for path in new)) or "nothing"
            said = [line for line in done.stderr.splitlines() if "kbert " in line]
            said = (said or done.stderr.splitlines() or [""])[0][:100]
            cells = (title, f"{seconds:.2f}", str(done.returncode), left, said)
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"| all | {total:.1f} | | | |")


if __name__ == "__main__":
    main()
