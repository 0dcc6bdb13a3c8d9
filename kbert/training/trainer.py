"""The loop of fine-tuning: train a while, look at the held-out examples, keep the best.

What happens is a function of (model, examples, settings): the order of the rows is a
function of seed and epoch, and all that changes on the way is in the state. A training
that was killed goes on from its last state and ends where it would have ended.
"""

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from kbert.tasks.answerer import Answerer, dataset_of
from kbert.tasks.rows.packed_rows import shuffled_batches
from kbert.tasks.task import Task
from kbert.training.log import TrainingLog
from kbert.training.optimizers import adamw
from kbert.training.state import load_state, save_state

_LOSS_POINTS = 100  # in the curve of a training


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained, the examples apart.

    Attributes:
        epochs: times through the rows.
        batch_size: rows per step, over all devices.
        learning_rate: peak of warm-up and linear decay.
        layer_decay: each block's rate is that of the block above it times this.
        clip_norm: largest global norm of the gradient.
        evaluate_every: steps from one look at the held-out examples to the next;
            None: an epoch.
        patience: looks without a better score after which training stops; None: never.
        seed: of the head, of dropout and of the order.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-5
    layer_decay: float = 1.0
    clip_norm: float = 1.0
    evaluate_every: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "evaluate_every", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}.")
        for name in ("learning_rate", "layer_decay", "clip_norm"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be a number above 0; got {value}.")

    def steps(self, num_rows: int) -> int:
        """Optimizer steps of the whole training."""
        return self.epochs * -(-num_rows // self.batch_size)


class Training:
    """One training of one model, with one seed.

    Args:
        model: a Keras model, built within the strategy's scope; `train` compiles it.
        task: its task.
        packed: the training rows, from `task.pack`.
        settings: `TrainingSettings`.
        directory: where states are kept; one that is found there is gone on from.
        held_out: (examples, packed) to choose the best weights by; None keeps the last.
    """

    def __init__(self, model, task: Task, packed, settings, directory: Path, held_out):
        self.model = model
        self.task = task
        self.packed = packed
        self.settings = settings
        self.directory = directory
        self.held_out = held_out
        self.history = []  # rows of the log: step, epoch, loss, and scores
        self.best = None  # {"step", "score", "scores"}
        self.step = 0
        self._best_weights = None
        self._looks_since_best = 0
        budget = 2 * settings.batch_size * task.sequence_length
        self._answerer = Answerer(model, task, None, budget)
        self._curve_every = 1
        self._log = TrainingLog(directory)

    def compile(self) -> None:
        """To be called within the strategy's scope."""
        settings = self.settings
        optimizer = adamw(
            settings.learning_rate,
            settings.steps(len(self.packed.rows)),
            bias_correction=True,
            clip_norm=settings.clip_norm,
            layer_decay=settings.layer_decay,
        )
        self.model.compile(optimizer, **self.task.compile_arguments())
        optimizer.build(self.model.trainable_variables)

    def train(self) -> "Training":
        """Trains to the end and leaves the best weights in the model.

        Raises:
            FloatingPointError: the loss is no number any more.
        """
        settings = self.settings
        order = self._order()
        every = settings.evaluate_every or len(order) // settings.epochs
        self._curve_every = max(1, len(order) // _LOSS_POINTS)
        self._restore()
        with tqdm(
            total=len(order), initial=self.step, unit=" steps", disable=None
        ) as bar:
            while self.step < len(order) and not self._is_out_of_patience():
                # Up to the next multiple, from wherever a state was taken.
                stop = min(len(order), (self.step // every + 1) * every)
                self._fit(order[self.step : stop], bar)
                self._look(len(order))
                self._save()
        if self._best_weights is not None:
            _assign(self.model.variables, self._best_weights)
        return self

    def diverged(self, score: float) -> None:
        """Notes a loss that is no number; without a look yet, the score is `score`."""
        self.best = self.best or {"step": 0, "score": score, "scores": {}}

    def release(self) -> None:
        """Lets go of model and weights; what was measured stays."""
        self.model = self._answerer = self._best_weights = None

    def _order(self):
        return [
            batch
            for epoch in range(self.settings.epochs)
            for batch in shuffled_batches(
                self.packed.rows.lengths,
                self.settings.batch_size,
                self.settings.seed,
                epoch,
            )
        ]

    def _fit(self, batches, bar):
        curve = _LossCurve(self, bar)
        self.model.fit(
            dataset_of(self.task, self.packed, batches),
            steps_per_epoch=len(batches),
            verbose=0,
            shuffle=False,
            callbacks=[curve],
        )
        self.step += len(batches)

    def _look(self, num_steps):
        """Scores the held-out examples; a better score's weights are kept."""
        row = self.history[-1]
        line = f"step {self.step:,} of {num_steps:,}: loss {row['loss']:.4f}"
        if self.held_out is not None:
            examples, packed = self.held_out
            scores = self.task.score(self._answerer.decode(packed), examples)
            row |= {f"dev_{name}": value for name, value in scores.items()}
            score = scores[self.task.metric]
            line += f", dev {self.task.metric} {score:.4f}"
            self._looks_since_best += 1
            if self.best is None or score > self.best["score"]:
                self.best = {"step": self.step, "score": score, "scores": scores}
                self._best_weights = _arrays(self.model.variables)
                self._looks_since_best = 0
                line += ", the best so far"
        tqdm.write(line)

    def _is_out_of_patience(self):
        patience = self.settings.patience
        return patience is not None and self._looks_since_best >= patience

    def _save(self):
        progress = {
            "step": self.step,
            "history": self.history,
            "best": self.best,
            "looks_since_best": self._looks_since_best,
        }
        arrays = {
            "model": _arrays(self.model.variables),
            "optimizer": _arrays(self.model.optimizer.variables),
        }
        if self._best_weights is not None:
            arrays["best"] = self._best_weights
        save_state(self.directory, progress, arrays)
        self._log.write(self.history)

    def _restore(self):
        state = load_state(self.directory)
        if state is None:
            return
        progress, arrays = state
        self.step = progress["step"]
        self.history = progress["history"]
        self.best = progress["best"]
        self._looks_since_best = progress["looks_since_best"]
        self._best_weights = arrays.get("best")
        _assign(self.model.variables, arrays["model"])
        _assign(self.model.optimizer.variables, arrays["optimizer"])
        self._log.written_until = self.step
        tqdm.write(f"Going on from step {self.step:,}.")


class _LossCurve(keras.callbacks.Callback):
    """Mean loss since the last point, in the history of a training."""

    def __init__(self, training, bar):
        super().__init__()
        self.training = training
        self.bar = bar
        self.sum_before, self.steps_before = 0.0, 0

    def on_train_batch_end(self, batch, logs=None):
        steps = batch + 1
        self.bar.update(1)
        is_last = steps == self.params["steps"]
        if not is_last and (self.training.step + steps) % self.training._curve_every:
            return
        total = logs["loss"] * steps  # Keras gives the mean from the start of `fit`
        loss = (total - self.sum_before) / (steps - self.steps_before)
        self.sum_before, self.steps_before = total, steps
        step = self.training.step + steps
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"Expected a finite loss; at step {step:,} it is {loss}. A smaller "
                "--learning-rate, or a smaller --clip-norm, may keep it finite."
            )
        settings = self.training.settings
        epoch = step * settings.epochs / settings.steps(len(self.training.packed.rows))
        self.training.history.append(
            {"step": step, "epoch": round(epoch, 4), "loss": float(loss)}
        )
        self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)


def _arrays(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def _assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
