"""Some minutes of load on `kbert serve`; every answer must equal the direct call.

    python benchmarks/serving_load.py saved_models TABLE --text-column document

SAVED_MODELS is what `kbert export` wrote; all of its models are served by the real
command on loopback. Requests are of 1 to 16 texts out of TABLE to all functions of all
models in turn, from 64 clients. Half-way through, a new version of each model (a copy)
takes the place of the old one. Prints requests and texts per second, p50 and p99, the
server's memory before and after, and counts errors and answers that differ: strings and
places must be equal, floats within 1e-4, batches having other sizes than the direct
call. Exits with 1 if there are any.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from http_load import load, post, summary

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PORT = 8599


def make_requests(directory, texts, count):
    """Requests to all functions of all models, and what they are to be answered."""
    import numpy as np

    from kbert.server.loaded_model import LoadedModel

    generator = random.Random(0)
    models = [LoadedModel(version) for version in sorted(directory.glob("*/1"))]
    calls = [(m, name) for m in models for name in m.signatures]
    requests, expected, sizes = [], [], []
    for i in range(count):
        model, name = calls[i % len(calls)]
        size = generator.choice([1, 1, 1, 2, 4, 16])
        inputs = {}
        for tensor in model.signatures[name].inputs:
            if tensor.default is None:
                own = generator.sample(texts, size)
                if "[MASK]" in tensor.meaning:
                    own = [f"{text[:40]} [MASK] {text[40:80]}" for text in own]
                inputs[tensor.name] = own
        outputs = model.call(name, inputs)
        body = {"signature_name": name, "inputs": inputs}
        requests.append(post(f"/v1/models/{model.name}:predict", body))
        expected.append(outputs)
        sizes.append(size)
        assert all(np.all(np.isfinite(x)) for x in outputs.values() if x.dtype != "O")
    return requests, expected, sizes


def is_equal(body, expected):
    """Whether an answer is what the direct call gave."""
    import numpy as np

    outputs = json.loads(body)["outputs"]
    if set(outputs) != set(expected):
        return False
    for name, values in expected.items():
        found = np.array(outputs[name], None if values.dtype != object else object)
        if found.size != values.size:
            return False
        if values.dtype.kind == "f":
            if not np.allclose(found.ravel(), values.ravel(), atol=1e-4):
                return False
        elif values.dtype == object:
            if found.ravel().tolist() != [value.decode() for value in values.flat]:
                return False
        elif found.ravel().tolist() != values.ravel().tolist():
            return False
    return True


def megabytes(process):
    """Resident memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def swap(directory, seconds):
    """After some time, a second version of each model."""
    time.sleep(seconds)
    for version in sorted(directory.glob("*/1")):
        aside = version.with_name(".2")
        shutil.copytree(version, aside)
        aside.rename(version.with_name("2"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models")
    parser.add_argument("table")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=600, help="different ones")
    options = parser.parse_args()
    with open(options.table, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        texts = [row[options.text_column] for _, row in zip(range(5000), rows)]
    texts = [text for text in texts if text]
    seconds = 60 * options.minutes
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "saved_models"
        for version in sorted(Path(options.models).glob("*/*/saved_model.pb")):
            shutil.copytree(
                version.parent, directory / version.parts[-3] / "1", dirs_exist_ok=True
            )
        requests, expected, sizes = make_requests(directory, texts, options.requests)
        command = [sys.executable, "-m", "kbert", "serve", str(directory)]
        with open(Path(scratch) / "log", "wb") as log:
            server = subprocess.Popen([*command, "--port", str(PORT)], stderr=log)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz")
                    break
                except OSError:
                    time.sleep(0.2)
            load(PORT, requests, 4, 10)  # every function was called
            before = megabytes(server)
            threading.Thread(
                target=swap, args=(directory, seconds / 2), daemon=True
            ).start()
            seen = load(PORT, requests, options.clients, seconds)
            after = megabytes(server)
        finally:
            server.terminate()
            server.wait()
    facts = summary(seen, seconds)
    facts["texts_per_second"] = sum(sizes[i] for i, *_ in seen) / seconds
    facts["different"] = sum(
        status == 200 and not is_equal(body, expected[i]) for i, _, status, body in seen
    )
    facts |= {"memory_before_mb": round(before), "memory_after_mb": round(after)}
    facts["models"] = len(list(Path(options.models).iterdir()))
    print(json.dumps(facts, indent=1))
    return 1 if facts["errors"] or facts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
