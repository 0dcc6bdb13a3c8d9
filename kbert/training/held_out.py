"""What a training is judged by on the way: examples, or batches, held out of it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from kbert.tasks.answerer import Answerer
from kbert.tasks.task import Task
from kbert.training.batches import Batches


class HeldOut(Protocol):
    """What `Training` asks at each evaluation.

    Attributes:
        shown: the scores to print, and what they are called there.
    """

    shown: Mapping[str, str]

    def scores(self) -> dict[str, float]:
        """The model's scores as it is now."""

    def score(self, scores: Mapping[str, float]) -> float:
        """The one to choose by; higher is better."""

    def keep(self) -> None:
        """The scores asked for last were the best so far."""

    def forget(self) -> None:
        """Lets go of the model."""


class HeldOutExamples:
    """Labelled examples of a task, answered by one `Answerer` for the whole training.

    Args:
        model: what is trained.
        task: its task.
        examples: labelled.
        packed: their rows, from `task.pack`.
        token_budget: tokens of a call of the model.
    """

    def __init__(self, model, task: Task, examples: list, packed, token_budget: int):
        self.task, self.examples, self.packed = task, examples, packed
        self.shown = {task.metric: f"dev {task.metric}"}
        self._answerer = Answerer(model, task, None, token_budget)
        self._last = self._best = None

    def scores(self) -> dict[str, float]:
        self._last = self._look()
        return self.task.score(self._last[1], self.examples)

    def score(self, scores: Mapping[str, float]) -> float:
        return scores[self.task.metric]

    def keep(self) -> None:
        self._best = self._last

    def best(self) -> tuple[Any, list[dict]]:
        """Outputs and answers at the best evaluation.

        They are at hand, unless that was before the training was stopped and resumed:
        then the model, which has the best weights again, is asked.
        """
        if self._best is None:
            self._best = self._look()
        return self._best

    def forget(self) -> None:
        self._answerer = self._last = self._best = None

    def _look(self):
        outputs = self._answerer.outputs(self.packed)
        return outputs, self.task.decode(outputs, self.packed)


class HeldOutBatches:
    """The first batches of held-out documents, by the losses and metrics of `compile`.

    Args:
        model: what is trained, compiled.
        batches: of the held-out documents.
        num_steps: how many are looked at each time.
    """

    shown: ClassVar = {
        "loss": "dev loss",
        "masked_lm_accuracy": "masked LM",
        "next_sentence_accuracy": "next sentence",
        "next_sentence_random": "random pairs",
    }

    def __init__(self, model, batches: Batches, num_steps: int):
        self.model, self.batches, self.num_steps = model, batches, num_steps

    def scores(self) -> dict[str, float]:
        dataset = self.batches.dataset(0, self.num_steps)
        return self.model.evaluate(dataset, verbose=0, return_dict=True)

    def score(self, scores: Mapping[str, float]) -> float:
        """Less its loss."""
        return -scores["loss"]

    def keep(self) -> None:
        """Nothing is needed of it later."""

    def forget(self) -> None:
        self.model = None
