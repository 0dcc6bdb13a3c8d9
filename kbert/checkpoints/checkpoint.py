"""A checkpoint as it was found: sizes, head and tensors, whatever its format."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from kbert.checkpoints.weight_maps import Row
from kbert.config import BertConfig


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a reader of one format gives, and `build` makes a model of.

    Nothing is read from disk but names and sizes until `read` is called, one tensor at
    a time.

    Attributes:
        format: its name in messages and reports, as "Google TF1".
        path: the directory or file.
        config: sizes, activation, dropouts and epsilon of the backbone.
        head: the model it is of, one of `kbert.registry.HEADS`; or, of a head that
            kbert has no model for, the format's own name: its backbone can be built.
        head_arguments: what the head's constructor takes beside the backbone, as
            `{"num_classes": 3, "dropout": 0.1}`.
        names: of all tensors in it, as the format spells them.
        read: one tensor by its name, as a NumPy array of its own dtype.
        rows: head -> the table that fills a model with this head, backbone included.
            A format without a table for a head leaves it out.
        ignored: why a tensor that no row uses may be left over (an optimizer's slot, a
            copy of a tied one), or None if it may not.
        is_head_guessed: the tensors of `head` could be another's too, as in Google's
            format those of a text classifier are a tagger's; who asks for that one
            gets it, filled.
        in_backbone: whether a tensor is the encoder's. One that is not may be left over
            where the encoder alone is asked for, or another head.
    """

    format: str
    path: Path
    config: BertConfig
    head: str
    head_arguments: dict
    names: Collection[str]
    read: Callable[[str], np.ndarray]
    rows: Mapping[str, list[Row]]
    ignored: Callable[[str], str | None]
    is_head_guessed: bool = False
    in_backbone: Callable[[str], bool] = lambda name: True
