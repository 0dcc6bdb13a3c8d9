"""Fine-tuning on Korean tasks, beside random weights and beside a plain baseline.

    python benchmarks/fine_tuning.py DATA --model kbert_tiny_ko_en my-bert --seeds 3

DATA holds the published files: nsmc/ratings_{train,test}.txt, klue/ynat_train.csv,
klue/klue-nli-v1.1_{train,dev}.json, korsts/sts-{train,test}.tsv,
klue/klue-ner-mini_train.tsv with klue-ner-v1.1_dev.tsv, korquad/KorQuAD_v1.0_dev.json.

Nothing is chosen on the data that is reported: epochs are fixed, the last weights are
tested. YNAT: 10 % of the rows are the test part; KorQuAD: its dev file is split by
article, 80 % to train on (the training file is not needed, and no split is kept). Plain
baselines, with scikit-learn: character 1-4-gram TF-IDF and logistic regression; the
majority class (NLI); the cosine of TF-IDF vectors (STS); the most frequent tags of each
word (NER). Prints mean and standard deviation over the seeds, and seconds of
fine-tuning for one seed, evaluation not counted. What --output holds already is not run
again.
"""

import argparse
import collections
import dataclasses
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A task with its files below DATA, and what `finetune` is called with."""

    train: str
    test: str | None  # None: a part of `train`
    test_share: float
    metric: str
    baseline: str
    settings: dict


DATASETS = {
    "nsmc": Dataset(
        "nsmc/ratings_train.txt",
        "nsmc/ratings_test.txt",
        0,
        "accuracy",
        "tfidf",
        {"preset": "nsmc", "epochs": 2, "batch_size": 64, "sequence_length": 64},
    ),
    "ynat": Dataset(
        "klue/ynat_train.csv",
        None,
        0.1,
        "macro_f1",
        "tfidf",
        {
            "task": "classification",
            "text_column": ["title"],
            "label_column": "topic_idx",
            "epochs": 2,
            "sequence_length": 64,
        },
    ),
    "klue-nli": Dataset(
        "klue/klue-nli-v1.1_train.json",
        "klue/klue-nli-v1.1_dev.json",
        0,
        "accuracy",
        "majority",
        {"preset": "klue/nli", "epochs": 3, "sequence_length": 64},
    ),
    "korsts": Dataset(
        "korsts/sts-train.tsv",
        "korsts/sts-test.tsv",
        0,
        "pearson",
        "cosine",
        {"preset": "korsts", "epochs": 10, "sequence_length": 64},
    ),
    "klue-ner": Dataset(
        "klue/klue-ner-mini_train.tsv",
        "klue/klue-ner-v1.1_dev.tsv",
        0,
        "f1",
        "tags",
        {"preset": "klue/ner", "epochs": 10},
    ),
    "korquad": Dataset(
        "korquad/KorQuAD_v1.0_dev.json",
        None,
        0.2,
        "korquad_f1",
        "",
        {"preset": "korquad", "epochs": 3},
    ),
}


def split(path, share, directory):
    """Two files out of one: rows of a table, or articles of SQuAD's JSON."""
    train, test = (Path(directory) / f"{part}{path.suffix}" for part in ("a", "b"))
    rng = random.Random(0)
    if path.suffix == ".json":
        content = json.loads(path.read_text("utf-8"))
        articles = content["data"]
        rng.shuffle(articles)
        cut = round(len(articles) * (1 - share))
        for file, part in ((train, articles[:cut]), (test, articles[cut:])):
            text = json.dumps(content | {"data": part}, ensure_ascii=False)
            file.write_text(text, "utf-8")
        return train, test
    header, *rows = path.read_text("utf-8").rstrip("\n").split("\n")
    rng.shuffle(rows)
    cut = round(len(rows) * (1 - share))
    for file, part in ((train, rows[:cut]), (test, rows[cut:])):
        file.write_text("\n".join([header, *part]) + "\n", "utf-8")
    return train, test


def baseline(dataset, train, test):
    """The metric that answers of a plain method get; None if there is none."""
    kind, task = dataset.baseline, plan(dataset)
    if not kind:
        return None
    train, test = list(task.read(str(train))), list(task.read(str(test)))
    task = task.learned(train)
    if kind == "majority":
        return task.floor(test)
    if kind == "tags":
        return frequent_tags(task, train, test)
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
    if kind == "cosine":
        vectors.fit([text for example in train for text in example.texts])
        first, second = (
            vectors.transform([example.texts[i] for example in test]) for i in (0, 1)
        )
        cosines = first.multiply(second).sum(axis=1).A1
        return task.score([{"score": float(c)} for c in cosines], test)[task.metric]
    x = vectors.fit_transform([example.texts[0] for example in train])
    model = LogisticRegression(C=4.0, max_iter=1000)
    model.fit(x, [example.label for example in train])
    probabilities = model.predict_proba(
        vectors.transform([example.texts[0] for example in test])
    )
    answers = [
        {
            "label": str(model.classes_[row.argmax()]),
            "score": float(row.max()),
            "scores": dict(zip(map(str, model.classes_), map(float, row))),
        }
        for row in probabilities
    ]
    return task.score(answers, test)[task.metric]


def plan(dataset):
    """The task that `finetune` would read the files with."""
    from kbert.registry import new_task
    from kbert.tasks.data.known_datasets import known_dataset

    settings = dataset.settings
    known = known_dataset(settings["preset"]) if "preset" in settings else None
    return new_task(
        known.task if known else settings["task"],
        metric=dataset.metric,
        text_columns=tuple(settings.get("text_column", known and known.text_columns))
        or None,
        label_column=settings.get("label_column", known and known.label_column) or None,
    )


def frequent_tags(task, train, test):
    """Each word between white space gets the tags it most often had in training."""
    seen = collections.defaultdict(collections.Counter)
    for example in train:
        for word, tags in words_with_tags(example):
            seen[word][tags] += 1
    answers = []
    for example in test:
        tags = []
        for word, true in words_with_tags(example):
            known = seen[word].most_common(1) if word in seen else []
            tags += known[0][0] if known else ["O"] * len(true)
        answers.append({"tags": tags})
    return task.score(answers, test)[task.metric]


def words_with_tags(example):
    """(word, its units' tags) in order: 서울에서 -> B-LC I-LC O O."""
    words, tags, last = [], [], None
    for (start, limit), tag in zip(example.units, example.tags):
        if last is None or example.text[last:start] != "":
            words.append("")
            tags.append([])
        words[-1] += example.text[start:limit]
        tags[-1].append(tag)
        last = limit
    return [(word, tuple(part)) for word, part in zip(words, tags)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", nargs="+", default=["kbert_tiny_ko_en"])
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of each task's own")
    parser.add_argument("--output", type=Path, default=Path("fine_tuning.json"))
    options = parser.parse_args()

    from kbert import evaluate, finetune

    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in options.datasets:
        dataset = DATASETS[name]
        with tempfile.TemporaryDirectory() as directory:
            train, test = options.data / dataset.train, dataset.test
            if test is None:
                train, test = split(train, dataset.test_share, directory)
            else:
                test = options.data / test
            for start in (*options.model, "random weights"):
                if f"{name} {start}" in results:
                    continue
                scores, seconds = [], []
                for seed in range(options.seeds):
                    output = Path(directory) / "model"
                    began = time.perf_counter()
                    finetune(
                        str(train),
                        str(output),
                        model=options.model[0] if start == "random weights" else start,
                        from_scratch=start == "random weights",
                        seed=seed,
                        **dataset.settings
                        | ({"epochs": options.epochs} if options.epochs else {}),
                    )
                    seconds.append(time.perf_counter() - began)
                    scores.append(evaluate(str(output), str(test)))
                    shutil.rmtree(output)
                values = [score[dataset.metric] for score in scores]
                results[f"{name} {start}"] = {
                    "metric": dataset.metric,
                    "mean": statistics.mean(values),
                    "spread": statistics.stdev(values) if len(values) > 1 else None,
                    "seconds": statistics.median(seconds),
                    "scores": scores,
                }
                print(name, start, json.dumps(results[f"{name} {start}"])[:200])
                options.output.write_text(json.dumps(results, indent=1))
            plain = baseline(dataset, train, test)
            if plain is not None:
                results[f"{name} baseline"] = {"metric": dataset.metric, "mean": plain}
                options.output.write_text(json.dumps(results, indent=1))

    print(f"\n{options.seeds} seeds, last weights")
    for name, row in results.items():
        spread = f" ± {100 * row['spread']:.2f}" if row.get("spread") else ""
        seconds = f", {row['seconds']:.0f} s" if "seconds" in row else ""
        print(f"  {name:34} {row['metric']} {100 * row['mean']:.2f}{spread}{seconds}")


if __name__ == "__main__":
    main()
