"""What is expected of a directory that another program wrote, and the list of all.

A row writes a directory as that program leaves it (`foreign_files` has the parts) and
gives what its model computes (`foreign_reference`). The next layout is one more
function with `@row("its name")`, in `foreign_directories` or `foreign_tokenizers`;
`foreign_table` tries and prints them all.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from foreign_reference import IDS, TEXTS


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a directory must give.

    Attributes:
        outputs: arrays by the names of kbert's outputs, for `foreign_reference.INPUTS`.
        head: what `kbert.load` makes of it; "" where its head is no kind of kbert's,
            `load` says so and `load_backbone` gives the encoder.
        ids: of `texts`, without [CLS] and [SEP]; None where the directory has no
            tokenizer.
        texts: `TEXTS`, or others.
        left_out: tensors of the file that the load report must name.
        embeddings: the vectors of `TEXTS`, where the directory says how they are made.
    """

    outputs: dict[str, np.ndarray]
    head: str = "backbone"
    ids: list | None = dataclasses.field(default_factory=lambda: IDS)
    left_out: tuple[str, ...] = ()
    texts: tuple[str, ...] = TEXTS
    embeddings: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """A make of directory.

    Attributes:
        name: of the program, and what is peculiar.
        write: makes one at a path, and tells what it is to give.
        needs: packages without which it cannot be made.
    """

    name: str
    write: Callable[[Path], Expected]
    needs: tuple[str, ...]

    def __str__(self):
        return self.name


ROWS: list[Row] = []
LIVE = ("torch", "transformers")


def row(name, *needs):
    def added(write):
        ROWS.append(Row(name, write, needs))
        return write

    return added
