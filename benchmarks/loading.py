"""Seconds and memory that loading takes: a whole BERT, with random weights.

python benchmarks/loading.py
python benchmarks/loading.py --size large --rounds 1

Writes the directory of a `BertBackbone` into a temporary place, then loads it in new
processes. Seconds are those of `kbert.load`, after TensorFlow's import; memory is the
process' peak during the load, less what it held before it, in units of the weights'
file. The file was just written: it is read from memory, not from disk. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import json, resource, sys, time
import tensorflow as tf
from kbert.checkpoints.load_and_save import load

def resident():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return {k: int(fields[k].split()[0]) * 1024 for k in ("VmRSS", "VmHWM")}

tf.zeros(1)  # the runtime starts
before = resident()["VmRSS"]
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")  # the peak starts anew
start = time.perf_counter()
model = load(sys.argv[1])
seconds = time.perf_counter() - start
print(json.dumps({
    "seconds": seconds,
    "peak": resident()["VmHWM"] - before,
    "after": resident()["VmRSS"] - before,
    "parameters": model.count_params(),
}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="base")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "model"
        run(WRITE, arguments.size, directory)
        size = (directory / "model.safetensors").stat().st_size
        print(f"bert_{arguments.size}: {size / 1e6:.0f} MB of weights")
        for _ in range(arguments.rounds):
            done = json.loads(run(PROGRAM, directory))
            print(
                f"{done['seconds']:.1f} s, peak {done['peak'] / size:.2f} x the file, "
                f"afterwards {done['after'] / size:.2f} x; "
                f"{done['parameters']:,} parameters"
            )


WRITE = """
import sys
import kbert
backbone = kbert.BertBackbone(**getattr(kbert, f"bert_{sys.argv[1]}")().arguments())
print(kbert.save(backbone, sys.argv[2]))
"""


def run(program, *arguments):
    """The last line that a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
