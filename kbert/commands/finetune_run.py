"""A fine-tuning behind its checks: rows, one training for each seed, the result.

OUTPUT.unfinished/  run.json                 arguments, data hashes, versions
                    seed-0/                  state-000200/, log.csv, tensorboard/
OUTPUT/             config.json, …           the best model, as any model directory
                    run.json                 the same, with scores of every seed
                    log.csv, tensorboard/    of the best seed; of others in seed-N/
                    evaluations/dev/         report.html, scores.json, predictions
"""

import functools
import shutil
import statistics
from pathlib import Path

import keras
from tqdm import tqdm

from kbert.checkpoints.load_and_save import load_tokenizer, save
from kbert.checkpoints.local_path import local_path
from kbert.checkpoints.stored_backbone import StoredBackbone, stored_backbone
from kbert.commands.evaluate import write_evaluation
from kbert.commands.finetune_examples import PackedRun, RunExamples
from kbert.commands.finetune_options import FinetuneOptions, TrainingOptions
from kbert.commands.run_directory import RunDirectory
from kbert.commands.training_options import default_rate
from kbert.models.backbone import BertBackbone
from kbert.tasks.rows.packed_rows import shuffled_batches
from kbert.tasks.task import check_segments, scored
from kbert.training.batches import Batches
from kbert.training.distribution import strategy_scope
from kbert.training.held_out import HeldOutExamples
from kbert.training.optimizers import OPTIMIZERS
from kbert.training.trainer import LoopSettings, Training

_LEAST_GAIN = 0.05  # of the way from the floor to the best seed: below, it collapsed
_RATE_OF_BASE = 5e-5  # peak of AdamW at D=768


def run_finetuning(
    asked: FinetuneOptions, options: FinetuneOptions, examples: RunExamples
) -> Path:
    """Packs, trains and writes the result; see `kbert.commands.finetune.finetune`.

    Args:
        asked: the options as the user gave them.
        options: the same, checked and filled in.
        examples: as read.
    """
    training = options.training
    path = local_path(training.model)  # of a hub's model, once
    tokenizer = load_tokenizer(path)
    stored = stored_backbone(path, tokenizer.vocabulary, training.seeds > 1)
    check_segments(examples.task.num_texts, stored.config.num_segments)
    rows = examples.pack(options, tokenizer, stored.config.max_sequence_length)
    print(rows)
    run = RunDirectory(
        "finetune", asked.groups, ("task",), options.arguments(), examples.facts
    )
    trainings = {}
    with run.working() as directory:
        for seed in range(training.seed, training.seed + training.seeds):
            if training.seeds > 1:
                tqdm.write(f"Seed {seed}:")
            place = directory / f"seed-{seed}"
            trainings[seed] = _train(seed, training, stored, rows, place)
            for other in trainings:
                if other != best_seed(trainings):
                    trainings[other].release()
        return _finish(run, trainings, rows, tokenizer)


def epoch_batches(task, packed, batch_size: int, seed: int) -> Batches:
    """Shuffled batches of like length, epoch after epoch.

    Args:
        packed: the training rows, from `task.pack`.
    """
    lengths = packed.rows.lengths
    steps_per_epoch = -(-len(lengths) // batch_size)

    @functools.lru_cache(maxsize=2)
    def order(epoch):
        return list(shuffled_batches(lengths, batch_size, seed, epoch))

    def batch(step):
        epoch, place = divmod(step, steps_per_epoch)
        return task.batch(packed, order(epoch)[place])

    return Batches(batch, steps_per_epoch)


def _train(
    seed: int,
    options: TrainingOptions,
    stored: StoredBackbone,
    rows: PackedRun,
    directory: Path,
) -> Training:
    """One seed from its start, or its last state, to its end."""
    task = rows.task
    batches = epoch_batches(task, rows.train, options.batch_size, seed)
    settings = LoopSettings(
        num_steps=options.epochs * batches.steps_per_epoch,
        evaluate_every=options.evaluate_every or batches.steps_per_epoch,
        patience=options.patience,
        keeps_best=rows.dev is not None,
    )
    rate = options.learning_rate or default_rate(
        options.optimizer, _RATE_OF_BASE, stored.config.hidden_dim
    )
    keras.utils.set_random_seed(seed)
    with strategy_scope(options.strategy):
        backbone = stored.build()
        if options.from_scratch:
            backbone = BertBackbone.from_config(backbone.get_config())
        model = task.build(backbone)
        if options.lora_rank:
            backbone.enable_lora(options.lora_rank)
        optimizer = OPTIMIZERS[options.optimizer](
            rate,
            settings.num_steps,
            bias_correction=True,
            clip_norm=options.clip_norm,
            layer_decay=options.layer_decay,
        )
        # The loss alone: nobody reads metrics of training batches.
        model.compile(optimizer, loss=task.compile_arguments()["loss"])
        model.optimizer.build(model.trainable_variables)
    held_out = None
    if rows.dev is not None:
        budget = 2 * options.batch_size * task.sequence_length
        held_out = HeldOutExamples(model, task, rows.examples.dev, rows.dev, budget)
    training = Training(model, batches, settings, directory, held_out)
    try:
        return training.train()
    except FloatingPointError as error:
        if options.seeds == 1:
            raise
        tqdm.write(str(error))
        training.diverged(task.floor(rows.examples.dev))
        return training


def _finish(
    run: RunDirectory, trainings: dict[int, Training], rows: PackedRun, tokenizer
) -> Path:
    """Writes the output from the best of the trainings; the unfinished run goes."""
    chosen = best_seed(trainings)
    best = trainings[chosen]
    task, dev = rows.task, rows.examples.dev
    facts = {
        "seeds": {str(seed): training.best for seed, training in trainings.items()},
        "best_seed": chosen,
    }
    if len(trainings) > 1:
        facts["summary"] = summary(task, trainings, dev)
        tqdm.write(facts["summary"]["text"])
    evaluation = None
    if rows.dev is not None:
        outputs, answers = best.held_out.best()
        calibrated = task.calibrated(answers, dev)
        if calibrated != task:
            task = calibrated
            answers = task.decode(outputs, rows.dev)
        evaluation = dev, answers, scored(task, answers, dev)
        facts["dev"] = evaluation[2]
    output = Path(run.output.output)
    with run.finished(facts) as aside:
        save(best.model, aside, tokenizer, task.to_config(), overwrite=True)
        for training in trainings.values():
            place = aside if training is best else aside / training.directory.name
            for name in ("log.csv", "tensorboard"):
                _copy(training.directory / name, place / name)
        if evaluation:
            directory = aside / "evaluations" / "dev"
            directory.mkdir(parents=True)
            write_evaluation(directory, task, *evaluation, run.facts, best.history)
    if evaluation:
        shown = ", ".join(f"{k} {v:.4g}" for k, v in evaluation[2].items())
        tqdm.write(f"Held out: {shown}")
        tqdm.write(f"Report: {output / 'evaluations' / 'dev' / 'report.html'}")
    return output


def best_seed(trainings: dict[int, Training]) -> int:
    """The seed with the best score on the held-out examples."""
    scores = {seed: t.best["score"] for seed, t in trainings.items() if t.best}
    return max(trainings, key=lambda seed: scores.get(seed, 0.0))


def summary(task, trainings: dict[int, Training], held_out: list) -> dict:
    """Mean, standard deviation and collapsed seeds of several trainings.

    A seed has collapsed if it gained less than 5 % of what the best one gained over
    the best answer that looks at no example.
    """
    scores = {seed: training.best["score"] for seed, training in trainings.items()}
    floor = task.floor(held_out)
    mean, spread = statistics.mean(scores.values()), statistics.stdev(scores.values())
    gain = max(scores.values()) - floor
    collapsed = [
        s for s, score in scores.items() if score - floor <= _LEAST_GAIN * gain
    ]
    lines = [
        f"seed {seed}: {task.metric} {score:.4f}" for seed, score in scores.items()
    ]
    lines.append(f"{task.metric} {mean:.4f} ± {spread:.4f} over {len(scores)} seeds")
    if collapsed:
        lines.append(
            f"Warning: collapsed, seed {', '.join(map(str, collapsed))}: hardly better "
            f"than an answer that looks at no example ({floor:.4f}). More steps or a "
            "smaller --learning-rate help."
        )
    return {
        "metric": task.metric,
        "mean": mean,
        "standard_deviation": spread,
        "floor": floor,
        "collapsed": collapsed,
        "text": "\n".join(lines),
    }


def _copy(source, target):
    if not source.exists():  # of a training that diverged before its first evaluation
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
