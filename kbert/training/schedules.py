"""How the learning rate goes up and comes down."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kbert")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear decay to 0 with a linear warm-up laid over its beginning.

        step < warmup_steps: peak * step / warmup_steps
        else:                peak * (1 - step / total_steps), at least 0

    The decay starts at step 0, not after the warm-up, as in google-research/bert's
    `optimization.py`.

        >>> rate = WarmupLinearDecay(1.0, total_steps=10, warmup_steps=2)
        >>> [round(float(rate(step)), 2) for step in (0, 1, 2, 5, 10)]
        [0.0, 0.5, 0.8, 0.5, 0.0]

    Args:
        peak_learning_rate: the rate that the two lines are drawn towards.
        total_steps: optimizer steps until the rate is 0.
        warmup_steps: optimizer steps of warm-up; 0 for none.

    Raises:
        ValueError: a total below 1, or a warm-up that is negative or over the total.
    """

    def __init__(self, peak_learning_rate, total_steps, warmup_steps=0):
        if total_steps < 1 or not 0 <= warmup_steps <= total_steps:
            raise ValueError(
                "Expected total_steps >= 1 and 0 <= warmup_steps <= total_steps; got "
                f"total_steps={total_steps}, warmup_steps={warmup_steps}."
            )
        self.peak_learning_rate = peak_learning_rate
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        decayed = ops.maximum(1.0 - step / self.total_steps, 0.0)
        warm = step / max(self.warmup_steps, 1)
        share = ops.where(step < self.warmup_steps, warm, decayed)
        return self.peak_learning_rate * share

    def get_config(self):
        return {
            "peak_learning_rate": self.peak_learning_rate,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }
