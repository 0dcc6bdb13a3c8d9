"""What `kbert/text/fast_path.py` pays: BertTokenizer with it and without it.

    python benchmarks/fast_path.py --korean reviews.txt --korean-vocabulary vocab.txt \
        --english novels.txt --english-vocabulary uncased_vocab.txt

Each round takes lines that were not used before and tokenizes each batch both ways, in
turn, as a graph; batches have 1, 32 and 1,024 lines. Printed are the median and the
quartiles of the rounds' ratios, seconds without over seconds with: above 1, the fast
path is faster. Seconds are of CPU, all threads together, so that other work on the
machine counts for less. Beside them stands how many batches had to go the long way
after all. Ids are compared.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from kbert.text.tokenizer import BertTokenizer

# Lines in a batch -> batches timed in a round.
BATCHES = {1: 200, 32: 40, 1024: 6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for language in ("korean", "english"):
        parser.add_argument(f"--{language}", type=Path, required=True)
        parser.add_argument(f"--{language}-vocabulary", required=True)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    print(processor())
    for language, lowercase in (("korean", False), ("english", True)):
        text = getattr(arguments, language).read_text("utf-8")
        lines = [line for line in text.split("\n") if line.strip()]
        vocabulary = getattr(arguments, f"{language}_vocabulary")
        for size in BATCHES:
            ratios, seconds, long_way = measured(
                BertTokenizer(vocabulary, lowercase=lowercase),
                BertTokenizer(vocabulary, lowercase=lowercase),
                iter(lines),
                size,
                arguments.rounds,
            )
            low, median, high = np.percentile(ratios, [25, 50, 75])
            print(
                f"{language}, batches of {size:,}: {median:.2f} ({low:.2f} to "
                f"{high:.2f}) times as fast, {statistics.median(seconds) * 1e6:.0f} µs "
                f"a line; {long_way:.0%} of the batches went the long way",
                flush=True,
            )


def measured(tokenizer, without, lines, size, rounds):
    """(ratio of each round, seconds a line with it, share of batches that are long)."""
    fast_path, without._fast_path = tokenizer._fast_path, None
    spec = tf.TensorSpec((None,), tf.string)
    ways = [
        tf.function(way.call, input_signature=[spec]) for way in (tokenizer, without)
    ]
    ratios, seconds, inexact = [], [], []
    for number in range(-1, rounds):  # the first round traces, and counts for nothing
        batches = [
            tf.constant(list(itertools.islice(lines, size)))
            for _ in range(BATCHES[size])
        ]
        took = [0.0, 0.0]
        for turn, batch in enumerate(batches):
            ids = [None, None]
            for way in (0, 1) if turn % 2 else (1, 0):
                start = time.process_time()
                ids[way] = ways[way](batch)
                took[way] += time.process_time() - start
            assert np.array_equal(ids[0].flat_values, ids[1].flat_values)
            assert np.array_equal(ids[0].row_splits, ids[1].row_splits)
        if number >= 0:
            ratios.append(took[1] / took[0])
            seconds.append(took[0] / size / len(batches))
            inexact += [not fast_path(batch)[1] for batch in batches]
    return ratios, seconds, float(np.mean(inexact))


def processor():
    """The processor's name, and which wide instructions it has."""
    fields = {}
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = [f for f in fields.get("flags", "").split() if f.startswith(("avx", "amx"))]
    return f"{fields.get('model name')}: {' '.join(flags)}"


if __name__ == "__main__":
    main()
