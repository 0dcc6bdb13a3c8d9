"""What the options of both trainings have in common."""

from kbert.commands.backends import TRAINING, check_backend
from kbert.commands.early_checks import check_choice

OPTIMIZERS = ("adamw", "lamb")
STRATEGIES = ("none", "mirrored")
LARGEST_SEED = 2**32 - 1  # that NumPy takes

# A rate of LAMB is relative to the size of the weights, whose standard deviation in a
# BERT is about 0.05: one twentieth, in AdamW, moves them as far.
_LAMB_TO_ADAMW = 20.0


def check_optimizer(name: str) -> None:
    """Raises `UsageError` for an unknown one."""
    check_choice("optimizer", name, OPTIMIZERS)


def check_strategy(name: str) -> None:
    """Raises `UsageError` for an unknown one, or one that the backend has not."""
    check_choice("strategy", name, STRATEGIES)
    check_backend("Training", TRAINING)
    if name != "none":
        check_backend(f"--strategy {name}")


def default_rate(optimizer: str, rate_of_base: float, hidden_dim: int) -> float:
    """The peak of the learning rate where none is given.

    >>> default_rate("adamw", 5e-5, 768), default_rate("lamb", 5e-5, 768)
    (5e-05, 0.001)

    Args:
        rate_of_base: AdamW's at D=768; narrower models take more, in proportion.
    """
    rate = rate_of_base * 768 / hidden_dim
    return rate * _LAMB_TO_ADAMW if optimizer == "lamb" else rate
