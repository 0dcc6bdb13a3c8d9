"""The served classifier beside transformers' pipeline behind the same kind of server.

    python benchmarks/serving.py TABLE --text-column document --rounds 7

Makes a classifier of each size (random weights, the shipped vocabulary; tiny: 2 layers,
D=128; mini: 4 layers, D=256), saved once and read by all. Each contender is a server in
a process of its own, started once; they take turns within a round. The load comes from
this process, requests of one text each, out of TABLE, cut to 128 tokens:

- `kbert`: `kbert serve`, the real command, on the exported SavedModel.
- `pipeline`: transformers' text-classification pipeline on PyTorch in kbert's own
  server and batcher (Starlette, uvicorn): requests are put together for it, too.
- `plain`: the pipeline as its users serve it, in a Starlette handler of ten lines that
  runs each request in a thread.

Prints p50 and p99 in ms with one client, requests per second with 64 clients, and the
ratios within rounds: median and quartiles. All contenders must give the same
labels and scores.
"""

import argparse
import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from http_load import load, post, summary

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SIZES = ("tiny", "mini")
CONTENDERS = ("kbert", "pipeline", "plain")
LENGTH = 128


def make_models(directory, sizes=SIZES):
    """A model directory of each size, and its SavedModel."""
    import keras

    import kbert

    tokenizer = kbert.load_tokenizer("kbert_tiny_ko_en")
    rows = len(tokenizer.vocabulary.tokens)
    task = kbert.TextClassification(("negative", "positive"), sequence_length=LENGTH)
    for size in sizes:
        keras.utils.set_random_seed(1)
        arguments = getattr(kbert, f"bert_{size}")().arguments()
        arguments |= {
            "vocabulary_size": rows,
            "max_sequence_length": LENGTH,
            "initializer_range": 0.1,
        }
        model = task.build(kbert.BertBackbone(**arguments))
        path = directory / "models" / size
        kbert.save(model, path, tokenizer, task.to_config())
        kbert.export_saved_model(str(path), str(directory / "saved_models"), size)


class PipelineModel:
    """transformers' pipeline with the face of a `LoadedModel`."""

    is_splittable = True

    def __init__(self, path):
        from transformers import pipeline

        from kbert.signatures import classify

        self.name, self.version = path.name, 1
        self.card = {"sequence_length": LENGTH}
        signature = classify(1)
        self.signatures = {"serving_default": signature, "classify": signature}
        self.pipeline = pipeline(
            "text-classification", str(path), device=-1, top_k=None
        )

    def checked(self, name, inputs):
        import numpy as np

        return {"text": np.array(inputs["text"], object)}

    def call(self, name, inputs):
        import numpy as np

        texts = [t if isinstance(t, str) else t.decode() for t in inputs["text"]]
        found = self.pipeline(
            texts, batch_size=len(texts), truncation=True, max_length=LENGTH
        )
        scores = np.array([[row["score"] for row in rows] for rows in found], "float32")
        labels = [[row["label"].encode() for row in rows] for rows in found]
        return {
            "label": np.array([row[0] for row in labels], object),
            "score": scores[:, 0],
            "scores": scores,
            "labels": np.array(labels, object),
            "truncated": np.zeros(len(texts), bool),
        }


class PipelineStore:
    """The models of a directory, in transformers, with the face of a `ModelStore`."""

    def __init__(self, directory):
        self.models = {size: PipelineModel(directory / size) for size in SIZES}

    def start(self):
        pass

    stop = start

    def names(self):
        return list(self.models)

    def get(self, name, version=None):
        return self.models[name]


def serve_pipeline(directory, port):
    import uvicorn

    from kbert.server.app import create_app

    app = create_app(PipelineStore(directory))
    uvicorn.run(app, port=port, log_level="error", access_log=False)


def serve_plain(directory, port):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from transformers import pipeline

    pipelines = {
        size: pipeline("text-classification", str(directory / size), device=-1)
        for size in SIZES
    }

    async def predict(request):
        body = await request.json()
        size = request.path_params["place"].split(":")[0]
        found = await run_in_threadpool(
            pipelines[size],
            body["inputs"]["text"],
            truncation=True,
            max_length=LENGTH,
        )
        labels = [row["label"] for row in found]
        scores = [row["score"] for row in found]
        return JSONResponse({"outputs": {"label": labels, "score": scores}})

    async def health(request):
        return JSONResponse({})

    app = Starlette(
        routes=[
            Route("/healthz", health),
            Route("/v1/models/{place:path}", predict, methods=["POST"]),
        ]
    )
    uvicorn.run(app, port=port, log_level="error", access_log=False)


def start(contender, directory):
    """A server of its own; its process and its port, when it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if contender == "kbert":
        command = [sys.executable, "-m", "kbert", "serve"]
        command += [str(directory / "saved_models"), "--port", str(port)]
    else:
        command = [sys.executable, __file__, str(directory / "models")]
        command += ["--serve", contender, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
            return process, port
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server of {contender} did not start")


def answers_of(port, requests):
    """Labels and scores of some requests, one after the other."""
    seen = load(port, requests, 1, 120.0, most=len(requests))
    assert all(status == 200 for _, _, status, _ in seen), seen[0]
    outputs = [json.loads(body)["outputs"] for _, _, _, body in seen]
    return [(row["label"][0], round(row["score"][0], 3)) for row in outputs]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--output", help="a JSON file for all numbers")
    parser.add_argument("--serve", choices=CONTENDERS[1:], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve = serve_pipeline if options.serve == "pipeline" else serve_plain
        return serve(Path(options.table), options.port)

    with open(options.table, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        texts = [row[options.text_column] for _, row in zip(range(2000), rows)]
    texts = [text for text in texts if text]
    print(f"load before: {os.getloadavg()[0]:.2f}", flush=True)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        make_models(directory)
        servers = {c: start(c, directory) for c in CONTENDERS}
        try:
            for size in SIZES:
                path = f"/v1/models/{size}:predict"
                requests = [post(path, {"inputs": {"text": [t]}}) for t in texts]
                found = [answers_of(p, requests[:50]) for _, p in servers.values()]
                assert found[0] == found[1] == found[2], found
                for number in range(options.rounds):
                    order = CONTENDERS[number % 3 :] + CONTENDERS[: number % 3]
                    for contender in order:
                        port = servers[contender][1]
                        for clients in (1, options.clients):
                            begin = time.perf_counter()
                            seen = load(port, requests, clients, options.seconds)
                            took = time.perf_counter() - begin
                            row = {"size": size, "round": number, "clients": clients}
                            row |= {"contender": contender} | summary(seen, took)
                            assert not row["errors"], seen[-1]
                            results.append(row)
                            print(json.dumps(row), flush=True)
        finally:
            for process, _ in servers.values():
                process.terminate()
    show(results, options.clients)
    if options.output:
        Path(options.output).write_text(json.dumps(results, indent=1) + "\n")


def show(results, many):
    """A table: medians, and how many times as fast kbert is, within rounds."""

    def rows_of(size, contender, clients):
        wanted = (size, contender, clients)
        keys = ("size", "contender", "clients")
        return [row for row in results if tuple(row[k] for k in keys) == wanted]

    for size in SIZES:
        print(
            f"\n{size}: p50 ms, p99 ms of 1 client; requests/s of {many} (kbert is x)"
        )
        for contender in CONTENDERS:
            line = f"  {contender:9}"
            for name, clients in (("p50_ms", 1), ("p99_ms", 1), ("per_second", many)):
                own = [row[name] for row in rows_of(size, contender, clients)]
                ours = [row[name] for row in rows_of(size, "kbert", clients)]
                line += f"  {statistics.median(own):8.2f}"
                ratios = [a / b for a, b in zip(own, ours, strict=True)]
                if name == "per_second":
                    ratios = [1 / ratio for ratio in ratios]
                if contender != "kbert" and len(ratios) > 1:
                    low, middle, high = statistics.quantiles(ratios, n=4)
                    line += f" (x {middle:.2f}, {low:.2f}-{high:.2f})"
            print(line)


if __name__ == "__main__":
    main()
