"""AdamW as BERT was trained with it, and LAMB, which follows it in large batches."""

import numbers

from kbert.training.adamw import AdamW
from kbert.training.lamb import Lamb
from kbert.training.schedules import WarmupLinearDecay

__all__ = ["OPTIMIZERS", "AdamW", "Lamb", "adamw", "lamb"]


def adamw(
    learning_rate,
    total_steps=None,
    warmup_share=0.1,
    weight_decay=0.01,
    bias_correction=False,
    clip_norm="default",
    layer_decay=1.0,
    **kwargs,
) -> AdamW:
    """The optimizer of BERT: `AdamW` on a `WarmupLinearDecay`.

    Args:
        learning_rate: the peak; a plain number when `total_steps` is None.
        total_steps: optimizer steps of the whole training; None keeps the rate fixed.
        warmup_share: share of the steps spent warming up, 0 to 1.
        weight_decay: 0.01 in the paper.
        bias_correction: False as in google-research/bert's pre-training; fine-tuning
            on few examples is steadier with True (Mosbach et al., 2020).
        clip_norm: largest global gradient norm; "default" is 1.0, or none where
            Keras' `clipnorm` or `clipvalue` is given.
        layer_decay: what each layer's rate is multiplied with from the one above to it;
            1 for the same rate everywhere.
        **kwargs: other arguments of `AdamW`, those of every Keras optimizer included.

    Raises:
        ValueError: a schedule as the peak, with `total_steps` that ask for another.
    """
    return AdamW(
        _scheduled(learning_rate, total_steps, warmup_share),
        weight_decay=weight_decay,
        bias_correction=bias_correction,
        clip_norm=clip_norm,
        layer_decay=layer_decay,
        **kwargs,
    )


def lamb(
    learning_rate,
    total_steps=None,
    warmup_share=0.1,
    weight_decay=0.01,
    bias_correction=True,
    clip_norm="default",
    layer_decay=1.0,
    **kwargs,
) -> Lamb:
    """`Lamb` on a `WarmupLinearDecay`; the arguments are those of `adamw`.

    Args:
        learning_rate: the peak, relative to the size of the weights.
        bias_correction: True as published.

    Raises:
        ValueError: as `adamw`.
    """
    return Lamb(
        _scheduled(learning_rate, total_steps, warmup_share),
        weight_decay=weight_decay,
        bias_correction=bias_correction,
        clip_norm=clip_norm,
        layer_decay=layer_decay,
        **kwargs,
    )


# By the names of the command line.
OPTIMIZERS = {"adamw": adamw, "lamb": lamb}


def _scheduled(learning_rate, total_steps, warmup_share):
    if total_steps is None:
        return learning_rate
    if not isinstance(learning_rate, numbers.Real):
        raise ValueError(
            "Expected a number, the peak of the learning rate, with total_steps; got "
            f"{learning_rate!r}. Leave total_steps out with a schedule of one's own."
        )
    return WarmupLinearDecay(
        learning_rate, total_steps, int(warmup_share * total_steps)
    )
