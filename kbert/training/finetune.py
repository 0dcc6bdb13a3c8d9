"""Fine-tuning a text classifier, and what one does with it: evaluate, predict."""

import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from kbert.checkpoints.atomic import refuse_existing
from kbert.checkpoints.huggingface import read_config
from kbert.checkpoints.model_directory import (
    load,
    load_backbone,
    load_tokenizer,
    model_path,
    save,
)
from kbert.features import BACKBONE_INPUTS
from kbert.models.backbone import BertBackbone
from kbert.models.text_classifier import BertTextClassifier
from kbert.tasks.fill_mask import fill_masks
from kbert.tasks.packed_rows import pack_rows, shuffled_batches
from kbert.tasks.tables import chunked, read_columns
from kbert.tasks.text_classification import TextClassification
from kbert.text.preprocessor import BertPreprocessor
from kbert.training.distribution import strategy_scope
from kbert.training.optimizers import adamw

_CHUNK = 4096  # texts read and answered at once by `predict`


def finetune(
    model: str,
    train: str,
    output: str,
    dev: str | None = None,
    text_column: list[str] = ("text",),
    label_column: str = "label",
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float | None = None,
    sequence_length: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
    strategy: str = "none",
    overwrite: bool = False,
) -> Path:
    """Fine-tune a pre-trained BERT to classify one text or a pair of texts.

    Args:
        model: a model directory (kbert pretrain, transformers) or a preset's name.
        train: labelled examples: .tsv, .csv or .jsonl with a header.
        output: the model directory to write; it keeps labels and columns.
        dev: a file like `train`, for scores along training.
        text_column: the column of the text; twice, for pairs.
        label_column: the column of the answer.
        epochs: times through the examples.
        batch_size: examples per step, over all devices.
        learning_rate: peak; by default 5e-5 at D=768 and more for narrower models, in
            proportion (3e-4 at D=128).
        sequence_length: tokens a text is cut to; by default the model's longest.
        from_scratch: start from random weights of the same shape, to see what
            pre-training gave.
        seed: of the head, of dropout and of the order.
        strategy: none, or mirrored for all devices of this machine.
        overwrite: replace an output directory that exists.
    """
    output = refuse_existing(output, overwrite)
    keras.utils.set_random_seed(seed)
    tokenizer = load_tokenizer(model)
    with strategy_scope(strategy):
        backbone = load_backbone(model)
        longest = backbone.max_sequence_length
        sequence_length = sequence_length or longest
        if sequence_length > longest:
            raise ValueError(
                f"sequence_length must be at most {longest}, the positions of {model}; "
                f"got {sequence_length}."
            )
        task = TextClassification.learn(
            train, text_column, label_column, sequence_length
        )
        if from_scratch:
            backbone = BertBackbone.from_config(backbone.get_config())
        classifier = BertTextClassifier(backbone, len(task.labels))
        rows, answers = _examples(task, train, tokenizer)
        held_out = _examples(task, dev, tokenizer) if dev else None
        steps = epochs * -(-len(rows) // batch_size)
        peak = learning_rate or 5e-5 * 768 / backbone.hidden_dim
        classifier.compile(
            adamw(peak, steps, bias_correction=True),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
    full = int((rows.lengths >= sequence_length).sum())
    print(
        f"{len(rows):,} examples, {len(task.labels)} labels; {full:,} fill all "
        f"{sequence_length} tokens, and what is longer is cut"
    )
    order = [
        batch
        for epoch in range(epochs)
        for batch in shuffled_batches(rows.lengths, batch_size, seed, epoch)
    ]
    classifier.fit(
        _dataset(rows, answers, order),
        steps_per_epoch=steps // epochs,
        epochs=epochs,
        validation_data=_dataset(*held_out, _in_order(held_out[0], batch_size))
        if dev
        else None,
        shuffle=False,
    )
    save(classifier, output, tokenizer, task.to_config(), overwrite)
    return output


def evaluate(model: str, data: str, batch_size: int = 64) -> dict[str, float]:
    """Score a fine-tuned model on a labelled file.

    Args:
        model: the directory of a fine-tuned model.
        data: labelled examples, with the columns of its training file.
        batch_size: texts per step.

    Returns: `accuracy` (0 to 1), `macro_f1` (mean over the labels, 0 to 1), `loss`
        (mean cross-entropy, nats) and `num_examples`.
    """
    classifier, task, tokenizer = _load_task(model)
    rows, answers = _examples(task, data, tokenizer)
    probabilities = _probabilities(classifier, rows, batch_size)
    guesses = probabilities.argmax(axis=1)
    own = probabilities[np.arange(len(answers)), answers]
    f1 = []
    for label in range(len(task.labels)):
        hits = int(((guesses == label) & (answers == label)).sum())
        said, true = int((guesses == label).sum()), int((answers == label).sum())
        f1.append(2 * hits / (said + true) if said + true else 0.0)
    return {
        "accuracy": float((guesses == answers).mean()),
        "macro_f1": float(np.mean(f1)),
        "loss": float(-np.log(np.maximum(own, 1e-30)).mean()),
        "num_examples": len(answers),
    }


def predict(model: str, data: str = "-", batch_size: int = 64) -> Iterator[dict]:
    """Classify the texts of a file, or of standard input; one JSON object a line.

    Args:
        model: the directory of a fine-tuned model.
        data: a .tsv, .csv or .jsonl file with the model's text columns, or - for
            standard input: one text a line, the two of a pair parted by a tab.
        batch_size: texts per step.

    Returns: in the order of the input, dicts of `label`, `score` (0 to 1) and `scores`.
    """
    classifier, task, tokenizer = _load_task(model)
    texts = _typed(task) if data == "-" else read_columns(data, task.text_columns)
    preprocessor = BertPreprocessor(tokenizer, task.sequence_length)
    for chunk in chunked(texts, _CHUNK):
        columns = [list(column) for column in zip(*chunk, strict=True)]
        rows = pack_rows(preprocessor, columns)
        yield from task.answers(_probabilities(classifier, rows, batch_size))


def fill_mask(model: str, text: str, top_k: int = 5) -> list[dict]:
    """Fill each [MASK] of a text with the tokens a pre-trained model finds likeliest.

    Args:
        model: the directory of a pre-trained model, or a preset's name.
        text: a sentence with one [MASK] or more.
        top_k: candidates per mask.

    Returns: dicts of `mask` (counted from 1), `token`, `score` (0 to 1) and `filled`.
    """
    pretrainer = load(model)
    if not hasattr(pretrainer, "masked_lm_head"):
        raise ValueError(
            f"Expected a pre-trained model with its masked-language-model head in "
            f"{model}; it holds a {type(pretrainer).__name__}."
        )
    masks = fill_masks(pretrainer, load_tokenizer(model), text, top_k)
    return [
        {"mask": number} | candidate
        for number, candidates in enumerate(masks, 1)
        for candidate in candidates
    ]


def _load_task(model):
    task = TextClassification.from_config(read_config(model_path(model)))
    return load(model), task, load_tokenizer(model)


def _examples(task, path, tokenizer):
    """The packed rows of a labelled file, and its classes int32 (rows,)."""
    columns, answers = task.read_examples(path)
    preprocessor = BertPreprocessor(tokenizer, task.sequence_length)
    return pack_rows(preprocessor, columns), np.array(answers, "int32")


def _in_order(rows, batch_size):
    """Row numbers of batches of like length; the last batch is smaller."""
    order = np.argsort(rows.lengths, kind="stable")
    return np.split(order, range(batch_size, len(order), batch_size))


def _dataset(rows, answers, order):
    """(inputs, classes) for each batch of row numbers; lengths differ by batch."""
    inputs = {f.name: tf.TensorSpec((None, *f.shape), f.dtype) for f in BACKBONE_INPUTS}
    # The lengths are left open, or each would have TensorFlow trace the model again.
    dataset = tf.data.Dataset.from_generator(
        lambda: ((rows.batch(batch), answers[batch]) for batch in order),
        output_signature=(inputs, tf.TensorSpec((None,), "int32")),
    )
    cardinality = tf.data.experimental.assert_cardinality(len(order))
    return dataset.apply(cardinality).prefetch(2)


def _probabilities(classifier, rows, batch_size):
    """float32 (rows, C), in the order of the rows."""
    order = _in_order(rows, batch_size)
    dataset = _dataset(rows, np.zeros(len(rows), "int32"), order)
    with tqdm(total=len(rows), unit=" texts", disable=None, leave=False) as bar:
        shown = keras.callbacks.LambdaCallback(
            on_predict_batch_end=lambda batch, logs: bar.update(len(order[batch]))
        )
        logits = classifier.predict(dataset, verbose=0, callbacks=[shown])
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return probabilities[np.argsort(np.concatenate(order))]


def _typed(task):
    for number, line in enumerate(sys.stdin, 1):
        texts = tuple(line.rstrip("\n").split("\t", len(task.text_columns) - 1))
        if len(texts) != len(task.text_columns):
            raise ValueError(
                f"Expected {len(task.text_columns)} texts a line, parted by a tab; "
                f"line {number} of standard input has {len(texts)}."
            )
        yield texts
