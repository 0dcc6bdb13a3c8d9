"""Pre-training: text files and a vocabulary in, a model directory out."""

import csv
import dataclasses
import hashlib
import itertools
import json
from pathlib import Path

import keras
import numpy as np

from kbert.checkpoints.load_and_save import (
    load,
    load_tokenizer,
    load_vocabulary,
    save,
)
from kbert.config import SIZES, BertConfig
from kbert.disk.text_lines import text_files
from kbert.disk.whole_directories import refuse_existing
from kbert.metrics.pretraining import LabelAccuracy
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.pretraining.batches import PretrainingBatches
from kbert.pretraining.corpus import documents
from kbert.pretraining.token_store import TokenStore, build_token_store
from kbert.training.distribution import strategy_scope
from kbert.training.losses import TokenCrossEntropy
from kbert.training.optimizers import adamw

_VALIDATION_STEPS = 20


def pretrain(
    corpus: list[str],
    vocabulary: str,
    output: str,
    size: str = "tiny",
    start_from: str | None = None,
    steps: int = 10000,
    batch_size: int = 64,
    sequence_length: int = 128,
    learning_rate: float | None = None,
    warmup_share: float = 0.1,
    dropout: float = 0.1,
    held_out: float = 0.01,
    evaluation_interval: int = 500,
    seed: int = 0,
    strategy: str = "none",
    dtype: str = "float32",
    store: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Pre-train a BERT on text files (masked language model + next sentence).

    The texts are tokenized once into a store on disk; sentence pairs and masks are
    drawn anew in every epoch. The model directory is written at every evaluation, with
    `training_log.csv` and, where matplotlib is installed, `training.png`.

    Args:
        corpus: text files, or directories of *.txt; UTF-8, one sentence per line and
            an empty line between documents, or plain paragraphs.
        vocabulary: directory made by kbert vocab, a model directory, or a vocab.txt.
        output: the model directory to write.
        size: tiny, mini, small, medium, base or large.
        start_from: a pre-trained model to go on from, on another corpus, say; its sizes
            rule, and its vocabulary must be the one given.
        steps: optimizer steps.
        batch_size: sequences per step, over all devices.
        sequence_length: tokens per sequence; also the longest input of the model.
        learning_rate: peak; by default 1e-4 at D=768 and more for narrower models, in
            proportion (6e-4 at D=128).
        warmup_share: share of the steps spent warming up.
        dropout: share of hidden values and attention probabilities dropped while
            pre-training; 0 serves a small model that sees little text twice. The saved
            config keeps 0.1, for fine-tuning.
        held_out: share of the documents kept for validation.
        evaluation_interval: steps between two evaluations on held-out documents.
        seed: of weights, dropout, pairs and masks.
        strategy: none, or mirrored for all devices of this machine.
        dtype: float32, or mixed_bfloat16 where the processor has it: products in
            bfloat16; weights, norms, softmax and losses in float32.
        store: where the tokenized corpus lies; by default beside the output. One made
            from the same files and vocabulary is used again.
        overwrite: replace an output directory that exists.
    """
    output = refuse_existing(output, overwrite)
    tokenizer = load_tokenizer(vocabulary)
    config = dataclasses.replace(
        model_config(size),
        vocabulary_size=len(tokenizer.vocabulary),
        max_sequence_length=sequence_length,
    )
    start = _pretrainer(start_from, tokenizer, sequence_length) if start_from else None
    if start:
        names = config.arguments()
        config = BertConfig(**{name: getattr(start.backbone, name) for name in names})
    token_store = open_or_build_store(
        corpus, tokenizer, Path(store or f"{output}-store")
    )
    batches, validation = (
        PretrainingBatches(
            token_store,
            tokenizer.vocabulary,
            batch_size=batch_size,
            sequence_length=sequence_length,
            seed=seed,
            held_out=held_out,
            validation=side,
        )
        for side in (False, bool(held_out))
    )
    keras.utils.set_random_seed(seed)
    peak = learning_rate or 1e-4 * 768 / config.hidden_dim
    changes = {"dropout": dropout, "attention_dropout": dropout, "dtype": dtype}
    with strategy_scope(strategy):
        model = BertPretrainer(BertBackbone(**config.arguments() | changes))
        if start:
            for variable, value in zip(
                model.trainable_weights, start.trainable_weights
            ):
                variable.assign(value)
        compile_pretrainer(model, adamw(peak, steps, warmup_share))
    print(
        f"{token_store.num_documents:,} documents, {token_store.num_tokens:,} tokens; "
        f"{steps:,} steps are {steps / batches.steps_per_epoch:.1f} epochs; "
        f"{model.count_params():,} parameters"
    )
    about = {
        "corpus": token_store.about["files"],
        "num_tokens": token_store.num_tokens,
        "start_from": start_from and Path(start_from).name,
        "steps": steps,
        "batch_size": batch_size,
        "sequence_length": sequence_length,
        "learning_rate": peak,
        "dropout": dropout,
        "seed": seed,
    }
    facts = {
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "kbert": {"pretraining": about},
    }
    log = []
    for row in _train(model, batches, validation, steps, evaluation_interval):
        log.append(row)
        save(model, output, tokenizer, facts, overwrite=True)
        write_log(log, output)
    plot_log(log, output)
    return output


def _pretrainer(directory, tokenizer, sequence_length):
    """The model to go on from, if it fits vocabulary and sequence length."""
    model = load(directory)
    if not isinstance(model, BertPretrainer):
        raise ValueError(
            f"Expected a pre-trained model with both heads in {directory}; it holds a "
            f"{type(model).__name__}."
        )
    if load_vocabulary(directory) != tokenizer.vocabulary:
        raise ValueError(
            f"Expected the vocabulary that {directory} was pre-trained with; the one "
            f"given is another. Pass --vocabulary {directory}."
        )
    longest = model.backbone.max_sequence_length
    if sequence_length > longest:
        raise ValueError(
            f"sequence_length must be at most {longest}, the positions of {directory}; "
            f"got {sequence_length}."
        )
    return model


def _train(model, batches, validation, steps, evaluation_interval):
    """Trains from evaluation to evaluation; yields the scores of each as a dict."""
    num_rounds = max(1, round(steps / evaluation_interval))
    bounds = np.linspace(0, steps, num_rounds + 1).round().astype(int).tolist()
    held_out = BatchRange(
        validation, 0, min(_VALIDATION_STEPS, validation.steps_per_epoch)
    )
    for number, (first, last) in enumerate(itertools.pairwise(bounds)):
        history = model.fit(
            BatchRange(batches, first, last),
            initial_epoch=number,
            epochs=number + 1,
            validation_data=held_out,
            shuffle=False,
        )
        scores = {name: values[-1] for name, values in history.history.items()}
        yield {"step": last} | scores


class BatchRange(keras.utils.PyDataset):
    """The batches of the steps from `first` to before `last`, as `fit` takes them.

    Not a generator: under `tf.distribute`, Keras takes the first batch twice.
    """

    def __init__(self, batches: PretrainingBatches, first: int, last: int):
        super().__init__()
        self.batches, self.first, self.last = batches, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        return self.batches.batch(self.first + index)


def compile_pretrainer(model: BertPretrainer, optimizer) -> None:
    """Both losses, summed, and both accuracies, as `fit` shows them."""
    outputs = ("masked_lm", "next_sentence")
    model.compile(
        optimizer,
        loss={name: TokenCrossEntropy() for name in outputs},
        weighted_metrics={name: [LabelAccuracy()] for name in outputs},
    )


def model_config(size: str) -> BertConfig:
    """The config behind a size's name."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}; got {size!r}.")
    return SIZES[size]()


def open_or_build_store(corpus, tokenizer, directory: Path) -> TokenStore:
    """The token store of these files and this tokenizer, built where it is not yet."""
    files = text_files(corpus)
    settings = tokenizer.get_config()
    settings = {k: v for k, v in settings.items() if k not in ("name", "dtype")}
    facts = [
        [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files],
        settings,
    ]
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, default=str)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    if (directory / "store.json").is_file():
        token_store = TokenStore(directory)
        if token_store.about.get("fingerprint") == fingerprint:
            print(f"using the token store {directory}")
            return token_store
    return build_token_store(
        documents(files),
        lambda sentences: tokenizer(sentences).to_list(),
        directory,
        {"fingerprint": fingerprint, "files": [file.name for file in files]},
    )


def write_log(log: list[dict], directory: Path) -> None:
    """`training_log.csv`: one row per evaluation."""
    with open(directory / "training_log.csv", "w", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(log[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(log)


def plot_log(log: list[dict], directory: Path) -> None:
    """`training.png`: both accuracies on training and held-out text, over steps."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no training.png: pip install 'kbert[plots]' to have it drawn")
        return
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    titles = {"masked_lm": "masked language model", "next_sentence": "next sentence"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        steps = [row["step"] for row in log]
        for prefix, label in (("", "training"), ("val_", "held out")):
            key = f"{prefix}{name}_accuracy"
            axis.plot(steps, [100 * row[key] for row in log], marker=".", label=label)
        axis.set(title=title, xlabel="optimizer steps", ylabel="accuracy, percent")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(directory / "training.png", dpi=120)
