"""Training throughput with and without length-bucketed batches.

    python benchmarks/length_bucketing.py TABLE --text-column document

Fine-tunes a classifier on the rows of TABLE for some steps at a time, in three ways
that take turns: batches of like length, padded to their longest (what `kbert finetune`
does); random batches, padded to their longest; random batches, all padded to the
sequence length (what a fixed `BertPreprocessor` gives `model.fit`). Prints examples per
second, and the ratios within rounds: median, and quartiles.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def padded(batch, length, pad_id):
    """(inputs, targets, weights) with inputs as long as `length`."""
    import numpy as np

    inputs, targets, weights = batch
    room = length - inputs["token_ids"].shape[1]
    fill = {"token_ids": pad_id, "segment_ids": 0, "padding_mask": 0}
    inputs = {
        name: np.pad(array, ((0, 0), (0, room)), constant_values=fill[name])
        for name, array in inputs.items()
    }
    return inputs, targets, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table")
    parser.add_argument("--model", default="kbert_tiny_ko_en")
    parser.add_argument("--text-column", nargs="+", default=["text"])
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    import itertools

    import keras
    import numpy as np

    import kbert
    from kbert.tasks.answerer import dataset_of
    from kbert.tasks.rows.packed_rows import shuffled_batches

    task = kbert.TextClassification(
        text_columns=tuple(options.text_column),
        label_column=options.label_column,
        sequence_length=options.sequence_length,
    )
    examples = list(itertools.islice(task.read(options.table), options.rows))
    task = task.learned(examples)
    packed = task.pack(examples, kbert.load_tokenizer(options.model))
    model = task.build(kbert.load_backbone(options.model))
    model.compile(kbert.adamw(1e-5), **task.compile_arguments())

    rng = np.random.default_rng(0)
    length, pad_id = options.sequence_length, packed.rows.pad_id

    class Padded:
        """The task, with batches of full length."""

        def batch(self, packed, rows):
            return padded(task.batch(packed, rows), length, pad_id)

    def order_of(way, number):
        if way == "bucketed":
            order = shuffled_batches(packed.rows.lengths, options.batch_size, 0, number)
            return list(itertools.islice(order, options.steps))
        rows = rng.permutation(len(examples))[: options.steps * options.batch_size]
        return np.split(rows, options.steps)

    ways = {"bucketed": task, "random": task, "full length": Padded()}
    seconds = {way: [] for way in ways}
    for number in range(options.rounds + 1):  # the first is for warming up
        for way in np.roll(list(ways), number):
            dataset = dataset_of(ways[way], packed, order_of(way, number))
            began = time.perf_counter()
            model.fit(dataset, verbose=0, shuffle=False)
            if number:
                seconds[way].append(time.perf_counter() - began)

    lengths = packed.rows.lengths
    print(
        f"{len(examples):,} examples of {lengths.mean():.1f} tokens on average "
        f"(longest {lengths.max()}), batches of {options.batch_size}, "
        f"{options.rounds} rounds of {options.steps} steps; Keras {keras.__version__}"
    )
    trained = options.steps * options.batch_size
    results = {}
    for way, times in seconds.items():
        rate = trained / statistics.median(times)
        ratios = [t / b for t, b in zip(times, seconds["bucketed"], strict=True)]
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        results[way] = {"examples_per_second": rate, "ratio": middle}
        print(
            f"  {way:12} {rate:8.0f} examples/s; bucketed is {middle:.2f} "
            f"({low:.2f} to {high:.2f}) times as fast"
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
