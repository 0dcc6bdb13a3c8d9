"""Kill `kbert pretrain` at random moments: do resumed runs end where one that was left
alone does, bit for bit?

    python benchmarks/kill_pretraining.py [--kills 10] [--seed 0] [--steps 200]

Pre-trains a model of 2 layers on the tests' Korean text once without interruption, and
once for each kill: the process gets SIGKILL at a random moment and is then called again
with --resume. A moment is a number of states that are there already, 0 to 8, and a
share of the time to the next: the kills are spread over the whole training, however
busy the machine is. Weights, both logs and config.json must be equal, byte for byte.
Prints one line for each kill; the exit code is 1 if any end differs. About 25 seconds
of one core for each kill.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
INTERVALS = 9  # from one evaluation to the next, in a run
COMPARED = ("model.safetensors", "config.json", "log.csv", "training_log.csv")


def command(output: Path, steps: int, *more: str) -> list[str]:
    """The command line of one run; all runs share a token store."""
    return [
        *(sys.executable, "-m", "kbert", "pretrain"),
        str(DATA / "text_sample_ko.txt"),
        *("--vocabulary", str(DATA / "text_vocabulary.txt")),
        *("--output", str(output), "--store", str(output.parent / "store")),
        *("--steps", str(steps), "--evaluation-interval", str(steps // INTERVALS)),
        *("--batch-size", "8", "--sequence-length", "32", "--held-out", "0.2"),
        *more,
    ]


def states(output: Path) -> list[int]:
    """The steps of the states that an unfinished run has."""
    found = Path(f"{output}.unfinished").glob("state-*")
    return sorted(int(path.name.partition("-")[2]) for path in found)


def started(output: Path, steps: int, log) -> subprocess.Popen:
    """A run of which run.json is there; tokenizing and starting are behind it."""
    running = subprocess.Popen(
        command(output, steps), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )
    while not Path(f"{output}.unfinished", "run.json").exists():
        if running.poll() is not None:
            raise RuntimeError(f"Expected a run to kill; it ended: {said(log)}")
        time.sleep(0.01)
    return running


def said(log) -> str:
    """The end of what a run wrote."""
    return Path(log.name).read_text("utf-8", "replace")[-2000:]


def whole_run(output: Path, steps: int) -> tuple[float, float]:
    """A run without interruption.

    Returns: seconds from run.json to the first state, and from each state to the next.
    """
    with open(output.with_suffix(".log"), "w") as log:
        running = started(output, steps, log)
        start = time.monotonic()
        while not states(output) and running.poll() is None:
            time.sleep(0.01)
        first = time.monotonic()
        if running.wait():
            raise RuntimeError(f"Expected a run to compare with: {said(log)}")
    return first - start, (time.monotonic() - first) / (INTERVALS - 1)


def killed_run(output: Path, steps: int, after: int, delay: float) -> int | None:
    """Kills a run and resumes it.

    Args:
        after: states that must have been written, not counting the one at step 0.
        delay: seconds from then on.

    Returns: the step of its last state when it was killed, 0 without one; None if it
        ended before.
    """
    with open(output.with_suffix(".log"), "w") as log:
        running = started(output, steps, log)
        least = after * (steps // INTERVALS)
        while max(states(output), default=0) < least and running.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        running.send_signal(signal.SIGKILL)
        if running.wait() != -signal.SIGKILL or output.exists():
            return None
        last = max(states(output), default=0)
        done = subprocess.run(
            command(output, steps, "--resume"),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"Expected the run to go on: {said(log)}")
    return last


def differences(one: Path, other: Path) -> list[str]:
    """The files that are not equal."""
    return [n for n in COMPARED if (one / n).read_bytes() != (other / n).read_bytes()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--steps", type=int, default=200, help="of each run")
    arguments = parser.parse_args()
    if arguments.steps < INTERVALS:
        parser.error(f"expected at least {INTERVALS} steps, one for each state")
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as work:
        whole = Path(work, "whole")
        to_first, to_next = whole_run(whole, arguments.steps)
        killed = failed = 0
        while killed < arguments.kills:
            output = Path(work, f"killed-{killed}")
            after = draw.randrange(INTERVALS)
            delay = draw.uniform(0, to_next if after else to_first)
            step = killed_run(output, arguments.steps, after, delay)
            if step is None:  # faster than the first run: draw anew
                for place in (output, Path(f"{output}.unfinished")):
                    shutil.rmtree(place, ignore_errors=True)
                continue
            killed += 1
            other = differences(whole, output)
            failed += bool(other)
            verdict = f"{', '.join(other)} differ" if other else "identical"
            print(
                f"kill {killed}, {delay:.2f} s after state {after}, resumed from step "
                f"{step}: {verdict}",
                flush=True,
            )
        print(f"{killed - failed} of {killed} ends are bit-identical")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
