"""The loop of all trainings: train a while, evaluate, keep the state.

What happens is a function of (model, batches, settings): a batch is a pure function of
the step, and all that changes on the way is in the state. A training that was killed
goes on from its last state and ends where it would have ended.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from kbert.training.batches import Batches
from kbert.training.held_out import HeldOut
from kbert.training.log import TrainingLog
from kbert.training.state import load_state, save_state

_CURVE_POINTS = 100  # in the log of a training


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """How long a training is, and when it is looked at.

    Attributes:
        num_steps: optimizer steps of the whole training.
        evaluate_every: steps from one evaluation to the next, at each of which the
            state is kept.
        patience: evaluations without a better score after which training stops; None:
            never.
        keeps_best: the weights of the best evaluation are left in the model, not the
            last ones.
    """

    num_steps: int
    evaluate_every: int
    patience: int | None = None
    keeps_best: bool = False

    def __post_init__(self):
        for name in ("num_steps", "evaluate_every", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}.")


class Training:
    """One training of one model.

    Args:
        model: a Keras model, compiled, and its optimizer built, within the strategy's
            scope.
        batches: what it goes through.
        settings: `LoopSettings`.
        directory: where states and log are kept; a state that is found there is gone
            on from.
        held_out: what it is judged by; None keeps the last weights.
        after_evaluation: called with the training at each evaluation, once its state is
            kept.

    Attributes:
        history: rows of the log: "step", "epoch", "loss" and the metrics of `compile`
            since the row before; with "dev_" the scores of an evaluation.
        best: {"step", "score", "scores"} of the best evaluation, or None.
        step: optimizer steps done.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Batches,
        settings: LoopSettings,
        directory: Path,
        held_out: HeldOut | None = None,
        after_evaluation: Callable[["Training"], None] | None = None,
    ):
        self.model = model
        self.batches = batches
        self.settings = settings
        self.directory = directory
        self.held_out = held_out
        self.history = []
        self.best = None
        self.step = 0
        self._after_evaluation = after_evaluation
        self._best_weights = None
        self._evaluations_since_best = 0
        self._log = TrainingLog(directory)

    def train(self) -> "Training":
        """Trains to the end.

        Raises:
            FloatingPointError: the loss is no number any more.
        """
        settings = self.settings
        self._restore()
        with tqdm(
            total=settings.num_steps, initial=self.step, unit=" steps", disable=None
        ) as bar:
            while self.step < settings.num_steps and not self._is_out_of_patience():
                # Up to the next multiple, from wherever a state was taken.
                stop = (self.step // settings.evaluate_every + 1) * (
                    settings.evaluate_every
                )
                self._fit(min(settings.num_steps, stop), bar)
                self._evaluate()
                self._keep_state()
        if self._best_weights is not None:
            _assign(self.model.variables, self._best_weights)
        return self

    def diverged(self, score: float) -> None:
        """Notes a loss that is no number; unless there is a score, it is `score`."""
        self.best = self.best or {"step": 0, "score": score, "scores": {}}

    def release(self) -> None:
        """Lets go of model and weights; what was measured stays."""
        self.model = self._best_weights = None
        if self.held_out is not None:
            self.held_out.forget()

    def _fit(self, stop, bar):
        self.model.fit(
            self.batches.dataset(self.step, stop),
            steps_per_epoch=stop - self.step,
            verbose=0,
            shuffle=False,
            callbacks=[_Curve(self, bar)],
        )
        self.step = stop

    def _evaluate(self):
        """Scores what is held out; a better score's weights are kept."""
        row = self.history[-1]
        line = (
            f"step {self.step:,} of {self.settings.num_steps:,}: loss {row['loss']:.4f}"
        )
        if self.held_out is not None:
            scores = self.held_out.scores()
            row |= {f"dev_{name}": value for name, value in scores.items()}
            score = self.held_out.score(scores)
            for name, words in self.held_out.shown.items():
                line += f", {words} {scores[name]:.4f}"
            self._evaluations_since_best += 1
            if self.best is None or score > self.best["score"]:
                self.best = {"step": self.step, "score": score, "scores": scores}
                self._evaluations_since_best = 0
                if self.settings.keeps_best:
                    self._best_weights = _arrays(self.model.variables)
                    line += ", the best so far"
                self.held_out.keep()
        tqdm.write(line)

    def _is_out_of_patience(self):
        patience = self.settings.patience
        return patience is not None and self._evaluations_since_best >= patience

    def _keep_state(self):
        progress = {
            "step": self.step,
            "history": self.history,
            "best": self.best,
            "evaluations_since_best": self._evaluations_since_best,
        }
        arrays = {
            "model": _arrays(self.model.variables),
            "optimizer": _arrays(self.model.optimizer.variables),
        }
        if self._best_weights is not None:
            arrays["best"] = self._best_weights
        save_state(self.directory, progress, arrays)
        self._log.write(self.history)
        if self._after_evaluation is not None:
            self._after_evaluation(self)

    def _restore(self):
        state = load_state(self.directory)
        if state is None:
            return
        progress, arrays = state
        self.step = progress["step"]
        self.history = progress["history"]
        self.best = progress["best"]
        self._evaluations_since_best = progress["evaluations_since_best"]
        self._best_weights = arrays.get("best")
        _assign(self.model.variables, arrays["model"])
        _assign(self.model.optimizer.variables, arrays["optimizer"])
        self._log.write(self.history)  # what a kill may have cut off
        tqdm.write(f"Going on from step {self.step:,}.")


class _Curve(keras.callbacks.Callback):
    """Mean loss and metrics since the last point, in the history of a training."""

    def __init__(self, training, bar):
        super().__init__()
        self.training = training
        self.bar = bar
        self.every = max(1, training.settings.num_steps // _CURVE_POINTS)
        self.sums_before, self.steps_before = {}, 0

    def on_train_batch_end(self, batch, logs=None):
        steps = batch + 1
        self.bar.update(1)
        is_last = steps == self.params["steps"]
        if not is_last and (self.training.step + steps) % self.every:
            return
        # Keras gives means from the start of `fit`. Each batch counts alike: sample
        # weights average to 1 in all of them.
        sums = {name: value * steps for name, value in logs.items()}
        means = {
            name: (total - self.sums_before.get(name, 0.0))
            / (steps - self.steps_before)
            for name, total in sums.items()
        }
        self.sums_before, self.steps_before = sums, steps
        step = self.training.step + steps
        if not math.isfinite(means["loss"]):
            raise FloatingPointError(
                f"Expected a finite loss; at step {step:,} it is {means['loss']}. A "
                "smaller --learning-rate (in fine-tuning, or --clip-norm) may keep it "
                "finite."
            )
        epoch = round(step / self.training.batches.steps_per_epoch, 4)
        self.training.history.append({"step": step, "epoch": epoch} | means)
        self.bar.set_postfix_str(f"loss {means['loss']:.3f}", refresh=False)


def _arrays(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def _assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
