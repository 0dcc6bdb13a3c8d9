"""Fine-tuning, from files to a model directory that knows how it came about."""

import inspect
from pathlib import Path

import keras
from tqdm import tqdm

from kbert.checkpoints.load_and_save import load_backbone, load_tokenizer
from kbert.commands.finetune_examples import RunExamples, read_examples
from kbert.commands.finetune_run import Run, best_of
from kbert.disk.provenance import command_of
from kbert.disk.whole_directories import refuse_existing
from kbert.models.backbone import BertBackbone
from kbert.registry import TASKS
from kbert.tasks.data.known_datasets import (
    from_tfds,
    known_dataset,
    known_dataset_files,
)
from kbert.tasks.data.tfds import is_tfds
from kbert.training.distribution import strategy_scope
from kbert.training.trainer import Training, TrainingSettings

DEFAULT_MODEL = "kbert_tiny_ko_en"


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
) -> Path:
    """Fine-tune a pre-trained BERT: classification, regression, tagging, questions.

    Args:
        train: labelled examples. Texts: .tsv, .csv, .json or .jsonl with a header.
            Tagging: CoNLL columns, KLUE's characters, or spans in .jsonl. Questions:
            SQuAD's .json. Or tfds:NAME[:SPLIT]. With a preset, its directory will do.
        output: the directory to write: model, labels, log, and what it takes to repeat
            it. Until training is over it is OUTPUT.unfinished.
        task: classification, multi-label, regression (one text or a pair), tagging or
            question-answering; not needed with a preset.
        model: a model directory (kbert pretrain, transformers, …) or a preset's name;
            by default the one that is shipped.
        dev: examples like those of train, to choose the best weights by.
        dev_share: instead of dev, the share of the training examples that is held out,
            0 to 1; questions on one article stay together.
        preset: columns, metric and files of a known benchmark: glue/NAME, klue/NAME,
            nsmc, korsts, kornli, korquad.
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
            answering laid under several windows. By default the model's longest.
        stride: tokens from one window to the next.
        max_question_length: tokens a question is cut to.
        max_answer_length: tokens of the longest answer.
        epochs: times through the examples.
        batch_size: rows per step, over all devices.
        learning_rate: peak; by default 5e-5 at D=768 and more for narrower models, in
            proportion (3e-4 at D=128).
        layer_decay: each block's rate is that of the block above it times this.
        clip_norm: largest global norm of the gradient.
        evaluate_every: steps between two looks at the dev examples, at each of which
            the state is kept for --resume; by default one epoch.
        patience: looks without a better score after which training stops.
        seed: of the head, of dropout and of the order.
        seeds: trainings, with seed, seed + 1, …; the best one is kept.
        lora_rank: train low-rank updates of the kernels instead of the kernels.
        from_scratch: start from random weights of the same shape, to see what
            pre-training gave.
        strategy: none, or mirrored for all devices of this machine.
        resume: go on with what was stopped, to the result it would have had.
        overwrite: replace an output directory that exists.
    """
    arguments = dict(locals())
    is_resumed, overwrites = arguments.pop("resume"), arguments.pop("overwrite")
    command = command_of("finetune", _given(arguments), ("task",))
    arguments = _with_preset(arguments)
    refuse_existing(arguments["output"], overwrites)
    sizes = load_backbone(arguments["model"]).get_config()
    tokenizer = load_tokenizer(arguments["model"])
    examples = read_examples(arguments, tokenizer, sizes["max_sequence_length"])
    print(examples)
    run = Run(arguments, command, examples.facts, is_resumed, overwrites)
    trainings = []
    for number in range(seed, seed + seeds):
        if seeds > 1:
            tqdm.write(f"Seed {number}:")
        settings = _settings(arguments, sizes["hidden_dim"], number)
        trainings.append(_train(run, examples, settings))
        for training in trainings:
            if training is not best_of(trainings):
                training.release()
    return run.finish(trainings, examples, tokenizer)


def _given(arguments):
    """Those that differ from their defaults."""
    parameters = inspect.signature(finetune).parameters
    return {k: v for k, v in arguments.items() if v != parameters[k].default}


def _with_preset(arguments: dict) -> dict:
    """Arguments with the model's default, and a preset's answers where none is given.

    Raises:
        ValueError: something is missing that neither says, or seeds without a way to
            tell them apart.
    """
    filled = arguments | {"model": arguments["model"] or DEFAULT_MODEL}
    if filled["preset"]:
        known = known_dataset(filled["preset"])
        if is_tfds(filled["train"]):
            known = from_tfds(known)
        elif Path(filled["train"]).is_dir():
            train, dev = known_dataset_files(filled["preset"], filled["train"])
            dev = None if filled["dev_share"] else filled["dev"] or dev
            filled |= {"train": train, "dev": dev}
        columns = {
            "task": known.task,
            "text_column": list(known.text_columns) or None,
            "label_column": known.label_column or None,
            "metric": known.metric,
        }
        filled |= {key: filled[key] or value for key, value in columns.items()}
    if not filled["task"]:
        raise ValueError(f"Expected a task out of {', '.join(TASKS)}, or --preset.")
    if filled["dev"] and filled["dev_share"]:
        raise ValueError("Expected dev or dev_share, not both.")
    if not 0 <= filled["dev_share"] < 1:
        raise ValueError(f"dev_share must be in [0, 1); got {filled['dev_share']}.")
    has_dev = filled["dev"] or filled["dev_share"]
    for name, least in (("seeds", 2), ("patience", 1)):
        if (filled[name] or 0) >= least and not has_dev:
            raise ValueError(
                f"Expected --dev or --dev-share with {name}: it asks which is better."
            )
    return filled


def _settings(arguments, hidden_dim, seed):
    return TrainingSettings(
        epochs=arguments["epochs"],
        batch_size=arguments["batch_size"],
        learning_rate=arguments["learning_rate"] or 5e-5 * 768 / hidden_dim,
        layer_decay=arguments["layer_decay"],
        clip_norm=arguments["clip_norm"],
        evaluate_every=arguments["evaluate_every"],
        patience=arguments["patience"],
        seed=seed,
    )


def _train(run: Run, examples: RunExamples, settings: TrainingSettings) -> Training:
    """One seed from its start, or its last state, to its end."""
    arguments = run.arguments
    keras.utils.set_random_seed(settings.seed)
    with strategy_scope(arguments["strategy"]):
        backbone = load_backbone(arguments["model"])
        if arguments["from_scratch"]:
            backbone = BertBackbone.from_config(backbone.get_config())
        model = examples.task.build(backbone)
        if arguments["lora_rank"]:
            backbone.enable_lora(arguments["lora_rank"])
        training = Training(
            model,
            examples.task,
            examples.packed,
            settings,
            run.directory / f"seed-{settings.seed}",
            examples.held_out,
        )
        training.compile()
    try:
        return training.train()
    except FloatingPointError as error:
        if arguments["seeds"] == 1:
            raise
        tqdm.write(str(error))
        training.diverged(examples.task.floor(examples.held_out[0]))
        return training
