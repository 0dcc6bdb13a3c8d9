"""Fine-tuning a pre-trained model against the same architecture from random weights.

    python benchmarks/does_pretraining_help.py my-bert nsmc/ratings_train.txt \
        nsmc/ratings_test.txt --text-column document --rows 2000 --seeds 3

Takes the first ROWS rows of the training file after a shuffle of fixed seed (0 for all
of them), fine-tunes with each seed from both starts, tests on the whole test file, and
prints mean and standard deviation of the accuracy. With scikit-learn installed, a plain
baseline stands beside: character 1-4-gram TF-IDF and logistic regression on the same
rows.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def training_rows(path, num_rows, directory):
    """A file with the chosen rows; the order of all rows is fixed."""
    header, *rows = Path(path).read_text("utf-8").rstrip("\n").split("\n")
    random.Random(0).shuffle(rows)
    rows = rows[: num_rows or len(rows)]
    chosen = Path(directory) / "train.tsv"
    chosen.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return chosen, len(rows)


def baseline_accuracy(train, test, text_column, label_column):
    """Character 1-4-gram TF-IDF + logistic regression; None without scikit-learn."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError:
        return None
    from kbert.tasks.data.records import fields, read_records

    def columns(path):
        names = (text_column, label_column)
        records = enumerate(read_records(path), 1)
        return zip(*(fields(record, names, path, n) for n, record in records))

    train_texts, train_labels = columns(train)
    test_texts, test_labels = columns(test)
    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True),
        LogisticRegression(C=4.0, max_iter=1000),
    )
    model.fit(train_texts, train_labels)
    return model.score(test_texts, test_labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--scratch-epochs", type=int, help="default: as --epochs")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--sequence-length", type=int)
    parser.add_argument("--no-baseline", action="store_true")
    options = parser.parse_args()

    from kbert import evaluate, finetune

    with tempfile.TemporaryDirectory() as directory:
        train, num_rows = training_rows(options.train, options.rows, directory)
        results = {}
        for start in ("pre-trained", "random weights"):
            is_random = start == "random weights"
            accuracies = []
            for seed in range(options.seeds):
                began = time.perf_counter()
                model = finetune(
                    str(train),
                    str(Path(directory) / "model"),
                    task="classification",
                    model=options.model,
                    text_column=[options.text_column],
                    label_column=options.label_column,
                    epochs=(is_random and options.scratch_epochs) or options.epochs,
                    batch_size=options.batch_size,
                    learning_rate=options.learning_rate,
                    sequence_length=options.sequence_length,
                    from_scratch=is_random,
                    seed=seed,
                    overwrite=True,
                )
                scores = evaluate(str(model), options.test)
                accuracies.append(100 * scores["accuracy"])
                seconds = time.perf_counter() - began
                print(f"{start}, seed {seed}: {accuracies[-1]:.2f} ({seconds:.0f} s)")
            results[start] = accuracies
        if not options.no_baseline:
            baseline = baseline_accuracy(
                train, options.test, options.text_column, options.label_column
            )
            if baseline is not None:
                results["TF-IDF + logistic regression"] = [100 * baseline]

    print(f"\naccuracy in percent, {num_rows:,} training rows, {options.epochs} epochs")
    for start, values in results.items():
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        print(f"  {start:30} {statistics.mean(values):.2f}{spread}  n={len(values)}")
    print(json.dumps({"options": vars(options), "accuracies": results}))


if __name__ == "__main__":
    main()
