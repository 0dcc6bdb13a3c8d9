"""What is particular to pre-training: two losses, and means of a whole interval."""

from collections.abc import Sequence

from kbert.metrics.pretraining import LabelAccuracy, RandomShare
from kbert.models.pretrainer import BertPretrainer
from kbert.training.losses import TokenCrossEntropy


def compile_pretrainer(model: BertPretrainer, optimizer) -> None:
    """Both losses, summed, and both accuracies, as `fit` shows them.

    Beside the accuracy of the next sentence stands, as "next_sentence_random", the
    share of the pairs that are random.
    """
    outputs = ("masked_lm", "next_sentence")
    model.compile(
        optimizer,
        loss={name: TokenCrossEntropy() for name in outputs},
        weighted_metrics={
            "masked_lm": [LabelAccuracy()],
            "next_sentence": [LabelAccuracy(), RandomShare()],
        },
    )


def evaluation_rows(history: Sequence[dict]) -> list[dict]:
    """The rows of `training_log.csv`: one for each evaluation.

    Training figures are means since the evaluation before; those of held-out documents
    have the prefix "val_", as in Keras' own history.

    >>> points = [{"step": 1, "loss": 4.0}, {"step": 2, "loss": 2.0, "dev_loss": 3.5}]
    >>> evaluation_rows(points)
    [{'step': 2, 'loss': 3.0, 'val_loss': 3.5}]
    """
    rows, sums, before, start = [], {}, 0, 0
    for row in history:
        steps = row["step"] - before
        before = row["step"]
        means = {
            name: value
            for name, value in row.items()
            if name not in ("step", "epoch") and not name.startswith("dev_")
        }
        for name, value in means.items():
            sums[name] = sums.get(name, 0.0) + steps * value
        held_out = {
            f"val_{name.removeprefix('dev_')}": value
            for name, value in row.items()
            if name.startswith("dev_")
        }
        if held_out:
            means = {name: total / (before - start) for name, total in sums.items()}
            rows.append({"step": before} | means | held_out)
            sums, start = {}, before
    return rows
