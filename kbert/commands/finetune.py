"""Fine-tuning, from files to a model directory that knows how it came about."""

from pathlib import Path

from kbert.commands.early_checks import UsageError
from kbert.commands.finetune_examples import read_examples
from kbert.commands.finetune_options import (
    DataOptions,
    FinetuneOptions,
    RowOptions,
    TrainingOptions,
)
from kbert.commands.run_directory import OutputOptions


def finetune(
    train: str,
    output: str,
    task: str = "",
    model: str | None = None,
    dev: str | None = None,
    dev_share: float = 0.0,
    preset: str | None = None,
    text_column: list[str] | None = None,
    label_column: str | None = None,
    label_separator: str | None = None,
    class_weights: list[str] | None = None,
    granularity: str | None = None,
    encoding: str | None = None,
    metric: str | None = None,
    sequence_length: int | None = None,
    stride: int | None = None,
    max_question_length: int | None = None,
    max_answer_length: int | None = None,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float | None = None,
    layer_decay: float = 1.0,
    clip_norm: float = 1.0,
    evaluate_every: int | None = None,
    patience: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    lora_rank: int | None = None,
    from_scratch: bool = False,
    strategy: str = "none",
    resume: bool = False,
    overwrite: bool = False,
    dataset: str | None = None,
    optimizer: str = "adamw",
) -> Path:
    """Fine-tune a pre-trained BERT: classification, regression, tagging, questions.

    Args:
        train: labelled examples. Texts: .tsv, .csv, .json or .jsonl with a header.
            Tagging: CoNLL columns, KLUE's characters, or spans in .jsonl. Questions:
            SQuAD's .json. Or tfds:NAME[:SPLIT]. With --dataset, its directory will do.
        output: the directory to write: model, labels, log, and what it takes to repeat
            it. Until training is over it is OUTPUT.unfinished.
        task: classification, multi-label, regression (one text or a pair), tagging,
            question-answering or multiple-choice; not needed with --dataset.
        model: a model directory (kbert pretrain, transformers, …) or a preset's name;
            by default the one that is shipped.
        dev: examples like those of train, to choose the best weights by.
        dev_share: instead of dev, the share of the training examples that is held out,
            0 to 1; questions on one article stay together.
        preset: former name of --dataset.
        text_column: the column of the text (text); twice, for pairs. Tagging: name or
            number of the word's column, from 0.
        label_column: the column of the answer (label). Tagging: name or number of the
            tag's column; -1, the last, by default.
        label_separator: what parts the labels of a text in multi-label.
        class_weights: balanced, or LABEL=WEIGHT for each label.
        granularity: of tags, word or character; by default what the training file
            shows, character where an entity ends within a word.
        encoding: of the files, as cp949; by default UTF-8.
        metric: the score to choose by; each task has one by default.
        sequence_length: tokens of a row; longer texts are cut, in tagging and question
            answering split into overlapping windows. By default the model's longest.
        stride: tokens from one window to the next.
        max_question_length: tokens a question is cut to.
        max_answer_length: tokens of the longest answer.
        epochs: times through the examples.
        batch_size: rows per step, over all devices.
        learning_rate: peak; by default 5e-5 at D=768 and more for narrower models, in
            proportion (3e-4 at D=128); with lamb 20 times that.
        layer_decay: each block's rate is that of the block above it times this.
        clip_norm: largest global norm of the gradient.
        evaluate_every: steps between two evaluations on the dev examples, at each of
            which the state is kept for --resume; by default one epoch.
        patience: evaluations without a better score after which training stops.
        seed: of the head, of dropout and of the order.
        seeds: trainings, with seed, seed + 1, …; the best one is kept.
        lora_rank: train low-rank updates of the kernels instead of the kernels.
        from_scratch: start from random weights of the same shape, to see what
            pre-training gave.
        strategy: none, or mirrored for all devices of this machine.
        resume: go on with what was stopped, to the result it would have had.
        overwrite: replace an output directory that exists.
        dataset: a known data set, whose columns, metric and files are then known:
            glue/NAME, klue/NAME, nsmc, korsts, kornli, korquad, squad, squad2.
        optimizer: adamw, or lamb for very large batches.
    """
    if dataset and preset:
        raise UsageError("Expected --dataset or its former name --preset, not both.")
    options = FinetuneOptions(
        DataOptions(
            train=train,
            task=task,
            dev=dev,
            dev_share=dev_share,
            dataset=dataset or preset,
            text_column=text_column,
            label_column=label_column,
            label_separator=label_separator,
            class_weights=class_weights,
            granularity=granularity,
            encoding=encoding,
            metric=metric,
        ),
        RowOptions(
            sequence_length=sequence_length,
            stride=stride,
            max_question_length=max_question_length,
            max_answer_length=max_answer_length,
        ),
        TrainingOptions(
            model=model,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            layer_decay=layer_decay,
            clip_norm=clip_norm,
            optimizer=optimizer,
            evaluate_every=evaluate_every,
            patience=patience,
            seed=seed,
            seeds=seeds,
            lora_rank=lora_rank,
            from_scratch=from_scratch,
            strategy=strategy,
        ),
        OutputOptions(output=output, resume=resume, overwrite=overwrite),
    )
    filled = options.checked()
    if filled.output.is_finished(filled.arguments()):
        return filled.output.clear()
    examples = read_examples(filled)
    # Behind all checks: Keras and TensorFlow take seconds to start.
    from kbert.commands.finetune_run import run_finetuning

    return run_finetuning(options, filled, examples)
