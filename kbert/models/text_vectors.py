"""One vector for a text, of those of its tokens: pooled, projected, normalised."""

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from kbert.signatures import POOLINGS

NORMALIZE = "normalize"
_SMALLEST = 1e-12  # what a length is at least, as PyTorch's `normalize` has it


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """A dense layer on a text's vector.

    Attributes:
        kernel: float32 (D, E).
        bias: float32 (E,), or None.
        activation: as Keras names it; "linear" for none.
    """

    kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: str = "linear"

    def __call__(self, vectors):
        """(B, D) -> (B, E)."""
        vectors = ops.matmul(vectors, self.kernel)
        vectors = vectors if self.bias is None else vectors + self.bias
        return keras.activations.get(self.activation)(vectors)


@dataclasses.dataclass(frozen=True, eq=False)
class TextVectors:
    """How a text gets its vector from a backbone's `sequence_output`.

    The formulas are sentence-transformers'. With three tokens and one of padding,

        mean                  (x1 + x2 + x3) / 3
        mean_sqrt_len_tokens  (x1 + x2 + x3) / sqrt(3)
        weightedmean          (1 x1 + 2 x2 + 3 x3) / 6
        max                   the largest of each of the D numbers
        cls, lasttoken        x1, x3

    Attributes:
        poolings: of `POOLINGS`; the vectors of several stand one after the other.
        steps: what follows, in this order: `Projection`s and `NORMALIZE`.
        sequence_length: tokens that a text is cut to; None for the model's longest.
        prompt: stands before every text.
        pools_prompt: whether the prompt's tokens count in the pooling.
        prompts: others that the model was trained with, by name: for the caller to put
            before texts of their kind.
    """

    poolings: tuple[str, ...] = ("mean",)
    steps: tuple[Projection | str, ...] = ()
    sequence_length: int | None = None
    prompt: str = ""
    pools_prompt: bool = True
    prompts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for pooling in self.poolings:
            if pooling not in POOLINGS:
                raise ValueError(
                    f"Expected the pooling {', '.join(POOLINGS[:-1])} or "
                    f"{POOLINGS[-1]}; got {pooling!r}."
                )

    def __str__(self):
        words = [" and ".join(self.poolings)]
        for step in self.steps:
            if step == NORMALIZE:
                words.append("scaled to the length 1")
            else:
                words.append(f"projected to {step.kernel.shape[1]}")
        if self.prompt:
            words.append(f"with {self.prompt!r} before each text")
        return ", ".join(words)

    def with_options(
        self, pooling: str | None = None, normalize: bool | None = None
    ) -> "TextVectors":
        """What a caller says rules over what stands here; None leaves it."""
        changed = self
        if pooling is not None:
            changed = dataclasses.replace(changed, poolings=(pooling,))
        if normalize is not None and normalize != self.is_normalized:
            steps = tuple(step for step in self.steps if step != NORMALIZE)
            steps += (NORMALIZE,) * normalize
            changed = dataclasses.replace(changed, steps=steps)
        return changed

    @property
    def is_normalized(self) -> bool:
        """Whether the vectors have the length 1."""
        return bool(self.steps) and self.steps[-1] == NORMALIZE

    def dim(self, hidden_dim: int) -> int:
        """Numbers of a vector.

        Raises:
            ValueError: a projection of vectors of another size.
        """
        dim = hidden_dim * len(self.poolings)
        for step in self.steps:
            if step == NORMALIZE:
                continue
            if step.kernel.shape[0] != dim:
                raise ValueError(
                    f"Expected vectors of {step.kernel.shape[0]} numbers before the "
                    f"projection; pooling ({' and '.join(self.poolings)}) gives {dim}. "
                    "Choose the pooling that the model was trained with."
                )
            dim = step.kernel.shape[1]
        return dim

    def __call__(self, states, padding_mask, num_prompt_tokens: int = 0):
        """The vectors of a batch.

        Args:
            states: (B, L, D), of any floating-point dtype.
            padding_mask: int32 (B, L); 1 marks tokens.
            num_prompt_tokens: how many at the beginning, [CLS] counted, are of the
                prompt; they are left out unless `pools_prompt`.

        Returns: float32 (B, E).
        """
        states = ops.cast(states, "float32")
        keep = ops.cast(padding_mask, "float32")
        places = ops.arange(1, ops.shape(keep)[1] + 1, dtype="float32")  # (L,)
        if not self.pools_prompt and num_prompt_tokens:
            keep = keep * ops.cast(places > num_prompt_tokens, "float32")
        pooled = [_pooled(states, keep, places, name) for name in self.poolings]
        vectors = ops.concatenate(pooled, axis=-1)
        for step in self.steps:
            if step == NORMALIZE:
                squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
                vectors = vectors / ops.maximum(ops.sqrt(squares), _SMALLEST)
            else:
                vectors = step(vectors)
        return vectors


def _pooled(states, keep, places, pooling):
    """(B, L, D), (B, L), (L,) -> (B, D)."""
    if pooling == "cls":
        return _at(states, ops.argmax(keep, axis=1))
    if pooling == "lasttoken":
        return _at(states, ops.argmax(keep * places, axis=1))
    if pooling == "max":
        return ops.max(ops.where(keep[:, :, None] > 0, states, -np.inf), axis=1)
    weights = keep * places if pooling == "weightedmean" else keep
    total = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1e-9)
    if pooling == "mean_sqrt_len_tokens":
        total = ops.sqrt(total)
    return ops.sum(states * weights[:, :, None], axis=1) / total


def _at(states, index):
    """The token of each row that an index (B,) names."""
    return ops.take_along_axis(states, index[:, None, None], axis=1)[:, 0]
