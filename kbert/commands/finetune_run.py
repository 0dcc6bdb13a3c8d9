"""The directory of a fine-tuning: while it runs, and when it is done.

OUTPUT.unfinished/  run.json                 arguments, data hashes, versions
                    seed-0/                  state-000200/, log.csv, tensorboard/
OUTPUT/             config.json, …           the best model, as any model directory
                    run.json                 the same, with scores of every seed
                    log.csv, tensorboard/    of the best seed; of others in seed-N/
                    evaluations/dev/         report.html, scores.json, predictions
"""

import shutil
import statistics
from pathlib import Path

from tqdm import tqdm

from kbert.checkpoints.load_and_save import save
from kbert.commands.evaluate import write_evaluation
from kbert.disk.provenance import versions
from kbert.disk.resumable_output import begin_or_resume, write_json
from kbert.disk.whole_directories import write_directory
from kbert.tasks.answerer import Answerer
from kbert.tasks.task import scored

_LEAST_GAIN = 0.05  # of the way from the floor to the best seed: below, it collapsed


class Run:
    """One run of `finetune`, with one seed or several.

    Args:
        arguments: those of `finetune`, but for `resume` and `overwrite`.
        command: the line that calls it with them.
        data: facts about the examples.
        is_resumed: go on with an unfinished run.
        overwrites: replace what is there.

    Raises:
        FileExistsError: there is an unfinished run, and neither was asked for.
        ValueError: the unfinished run had other arguments, or its data has changed.
    """

    def __init__(
        self,
        arguments: dict,
        command: str,
        data: dict,
        is_resumed: bool,
        overwrites: bool,
    ):
        self.arguments = arguments
        self.output = Path(arguments["output"])
        self.overwrites = overwrites
        self.facts = {
            "arguments": arguments,
            "data": data,
            "versions": versions(),
            "command": command,
        }
        self.directory = begin_or_resume(
            self.output, self.facts, is_resumed, overwrites
        )

    def finish(self, trainings: list, examples, tokenizer) -> Path:
        """Writes the output from the best of the trainings; the unfinished run goes."""
        best = best_of(trainings)
        task = examples.task
        facts = dict(self.facts)
        facts["seeds"] = {str(t.settings.seed): t.best for t in trainings}
        facts["best_seed"] = best.settings.seed
        if len(trainings) > 1:
            facts["summary"] = summary(task, trainings, examples.held_out[0])
            tqdm.write(facts["summary"]["text"])
        evaluation = None
        if examples.held_out is not None:
            held_out, packed = examples.held_out
            outputs = Answerer(best.model, task, tokenizer).outputs(packed)
            task = task.calibrated(task.decode(outputs, packed), held_out)
            answers = task.decode(outputs, packed)
            evaluation = held_out, answers, scored(task, answers, held_out)
            facts["dev"] = evaluation[2]
        with write_directory(self.output, self.overwrites) as aside:
            save(best.model, aside, tokenizer, task.to_config(), overwrite=True)
            write_json(aside / "run.json", facts)
            for training in trainings:
                place = aside if training is best else aside / training.directory.name
                for name in ("log.csv", "tensorboard"):
                    _copy(training.directory / name, place / name)
            if evaluation:
                directory = aside / "evaluations" / "dev"
                directory.mkdir(parents=True)
                shown = {key: facts[key] for key in self.facts}
                write_evaluation(directory, task, *evaluation, shown, best.history)
        shutil.rmtree(self.directory)
        if evaluation:
            shown = ", ".join(f"{k} {v:.4g}" for k, v in evaluation[2].items())
            tqdm.write(f"Held out: {shown}")
            report = self.output / "evaluations" / "dev" / "report.html"
            tqdm.write(f"Report: {report}")
        return self.output


def best_of(trainings: list):
    """The training with the best score on the held-out examples."""
    return max(trainings, key=lambda t: t.best["score"] if t.best else 0.0)


def summary(task, trainings: list, held_out: list) -> dict:
    """Mean, standard deviation and collapsed seeds of several trainings.

    A seed has collapsed if it gained less than 5 % of what the best one gained over
    the best answer that looks at no example.
    """
    scores = {t.settings.seed: t.best["score"] for t in trainings}
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
    if not source.exists():  # of a training that diverged before its first look
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
