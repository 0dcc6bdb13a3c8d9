"""Pre-training: text files and a vocabulary in, a model directory out."""

from pathlib import Path

from kbert.commands.pretrain_options import (
    CorpusOptions,
    PretrainOptions,
    PretrainRows,
    PretrainTraining,
)
from kbert.commands.run_directory import OutputOptions


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
    optimizer: str = "adamw",
    patience: int | None = None,
    resume: bool = False,
) -> Path:
    """Pre-train a BERT on text files (masked language model + next sentence).

    The texts are tokenized once into a store on disk; sentence pairs and masks are
    drawn anew in every epoch. Until training is over, the run is OUTPUT.unfinished:
    at every evaluation its state is kept, for --resume, and the newest model stands
    whole in OUTPUT.unfinished/model. OUTPUT has the model, log.csv and
    training_log.csv (one row per evaluation), TensorBoard's events, report.html with
    curves, and run.json.

    Args:
        corpus: text files, or directories of *.txt; UTF-8, one sentence per line and
            an empty line between documents, or plain paragraphs.
        vocabulary: directory made by kbert vocab, a model directory, a vocab.txt, or
            hf://owner/name, of which the tokenizer's files alone are downloaded.
        output: the model directory to write.
        size: tiny, mini, small, medium, base or large.
        start_from: a pre-trained model to go on from, on another corpus, say: a
            directory, a preset's name or hf://owner/name; its sizes rule, and its
            vocabulary must be the one given.
        steps: optimizer steps.
        batch_size: sequences per step, over all devices.
        sequence_length: tokens per sequence; also the longest input of the model.
        learning_rate: peak; by default 1e-4 at D=768 and more for narrower models, in
            proportion (6e-4 at D=128); with lamb 20 times that.
        warmup_share: share of the steps spent warming up.
        dropout: share of hidden values and attention probabilities dropped while
            pre-training; 0 serves a small model that sees little text twice. The saved
            config keeps 0.1, for fine-tuning.
        held_out: share of the documents kept for validation.
        evaluation_interval: steps between two evaluations on held-out documents, at
            each of which the state is kept.
        seed: of weights, dropout, pairs and masks.
        strategy: none, or mirrored for all devices of this machine.
        dtype: float32, or mixed_bfloat16 where the processor has it: products in
            bfloat16; weights, norms, softmax and losses in float32. mixed_float16 is
            for processors that have float16 alone; the loss is scaled for it.
        store: where the tokenized corpus lies; by default beside the output. One made
            from the same files and vocabulary is used again.
        overwrite: replace an output directory that exists.
        optimizer: adamw, or lamb for very large batches.
        patience: evaluations without a lower held-out loss after which training stops;
            the best weights are kept then, else the last ones.
        resume: go on with what was stopped, to the result it would have had.
    """
    options = PretrainOptions(
        CorpusOptions(
            corpus=corpus, vocabulary=vocabulary, held_out=held_out, store=store
        ),
        PretrainRows(sequence_length=sequence_length),
        PretrainTraining(
            size=size,
            start_from=start_from,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            warmup_share=warmup_share,
            optimizer=optimizer,
            dropout=dropout,
            evaluation_interval=evaluation_interval,
            patience=patience,
            seed=seed,
            strategy=strategy,
            dtype=dtype,
        ),
        OutputOptions(output=output, resume=resume, overwrite=overwrite),
    )
    options.check()
    if options.output.is_finished(options.arguments()):
        return options.output.clear()
    # Behind all checks: Keras and TensorFlow take seconds to start.
    from kbert.commands.pretrain_run import run_pretraining

    return run_pretraining(options)


def __getattr__(name):
    """The former place of what `model.fit` is called with by hand."""
    if name == "BatchRange":
        from kbert.training.batches import BatchRange

        return BatchRange
    if name == "compile_pretrainer":
        from kbert.training.pretraining import compile_pretrainer

        return compile_pretrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
