"""What the batcher's learned cost of a run pays, beside simpler ways to make runs.

    python benchmarks/run_cost.py ratings_test.txt --text-column document

The rows of one turn may be run at once, filled up to the longest, or in several runs of
like length, each of which costs a start. The contenders are one `Batcher` each, in one
process, on the SavedModels of classifiers of several sizes (as in `serving.py`):

- `learned`: as served. A start costs as many tokens as `RunCost` has learned.
- `fixed`: a start costs 256 tokens, always.
- `one run`: the rows of a turn are one run.
- `classes`: one run for the rows of up to 16 tokens, 32, 64 and so on.

64 clients of one text, and 8 clients of 64 texts, send movie reviews (`short`) or one
to eight of them put together (`mixed`), a new one when the last answer is there. Rounds
are interleaved, and ratios taken within rounds: seconds of the contender over seconds
of `learned`, of CPU and by the clock; median and quartiles. Above 1, `learned` is
faster. Beside them stand the runs that a contender made.
"""

import argparse
import asyncio
import csv
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
from fast_path import processor
from serving import SIZES, make_models

from kbert.server import batcher as batcher_module
from kbert.server.batcher import Batcher
from kbert.server.loaded_model import LoadedModel
from kbert.server.row_batches import runs_of

CLIENTS = {"64 x 1 text": (64, 1), "8 x 64 texts": (8, 64)}


def one_run(tokens, token_budget, tokens_of_a_start):
    return runs_of(tokens, token_budget, float("inf"))


def fixed(tokens, token_budget, tokens_of_a_start):
    return runs_of(tokens, token_budget, 256)


def classes(tokens, token_budget, tokens_of_a_start):
    """Powers of two: the rows of a class, as many at once as the budget allows."""
    of_row = np.ceil(np.log2(np.maximum(tokens, 16))).astype(int)
    runs = []
    for number in np.unique(of_row):
        rows = np.flatnonzero(of_row == number)
        most = max(1, token_budget // int(tokens[rows].max()))
        runs += np.split(rows, range(most, len(rows), most))
    return sorted(rows.tolist() for rows in runs)


CONTENDERS = {
    "learned": runs_of,
    "fixed": fixed,
    "one run": one_run,
    "classes": classes,
}


async def measured(batcher, make_runs, model, texts, clients, size):
    """Seconds of CPU and by the clock, and runs, for all texts."""
    batches = iter([texts[i : i + size] for i in range(0, len(texts), size)])

    async def client():
        for batch in batches:
            await batcher.call(model, "serving_default", {"text": batch})

    runs = []
    batcher.on_batch = lambda *facts: runs.append(facts)
    with mock.patch.object(batcher_module, "runs_of", make_runs):
        start = time.process_time(), time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        took = time.process_time() - start[0], time.perf_counter() - start[1]
    return *took, len(runs)


async def compare(model, texts, count, clients, size, rounds):
    """Contender -> (CPU seconds, seconds, runs) of each round of `count` texts."""
    batchers = {name: Batcher() for name in CONTENDERS}
    results = {name: [] for name in CONTENDERS}
    for number in range(-1, rounds):  # the first round is for learning
        first = (number + 1) * count % (len(texts) - count)
        names = list(CONTENDERS)[number % 4 :] + list(CONTENDERS)[: number % 4]
        for name in names:
            done = await measured(
                batchers[name],
                CONTENDERS[name],
                model,
                texts[first : first + count],
                clients,
                size,
            )
            if number >= 0:
                results[name].append(done)
    for batcher in batchers.values():
        await batcher.close()
    (cost,) = [c for own in batchers["learned"]._costs.values() for c in own.values()]
    print(f"  a start has been learned to cost {cost.tokens_of_a_start:.0f} tokens")
    return {name: np.array(values) for name, values in results.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--text-column", default="document")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--texts", type=int, default=1024, help="in one measurement")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with open(arguments.table, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        short = [row[arguments.text_column] for row in rows][:20_000]
    generator = np.random.default_rng(0)
    mixed = [
        " ".join(generator.choice(short, n)) for n in generator.integers(1, 9, 8192)
    ]
    print(processor())
    with tempfile.TemporaryDirectory() as place:
        make_models(Path(place), arguments.sizes)
        for size in arguments.sizes:
            model = LoadedModel(Path(place) / "saved_models" / size / "1")
            for kind, texts in {"short": short, "mixed": mixed}.items():
                for name, (clients, per_call) in CLIENTS.items():
                    print(f"{size}, {kind}, {name}", flush=True)
                    results = compare(
                        *(model, texts, arguments.texts),
                        *(clients, per_call, arguments.rounds),
                    )
                    show(asyncio.run(results))


def show(results):
    for name, values in results.items():
        ratios = values[:, :2] / results["learned"][:, :2]
        cpu, clock = (
            "{1:.2f} ({0:.2f} to {2:.2f})".format(*np.percentile(r, [25, 50, 75]))
            for r in ratios.T
        )
        print(
            f"  {name:8} CPU {cpu}, clock {clock}; {np.median(values[:, 0]):.2f} s of "
            f"CPU, {np.median(values[:, 2]):.0f} runs",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
