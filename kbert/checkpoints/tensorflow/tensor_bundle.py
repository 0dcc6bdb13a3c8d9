"""TensorFlow's checkpoint files, by name: what TF1 and TF2 checkpoints are stored in.

    NAME.index                   names, dtypes, shapes, and where the numbers lie
    NAME.data-00000-of-00001     the numbers; several such files where it is sharded
    checkpoint                   names the newest NAME, where a directory holds several

TensorFlow is imported when the first file is opened.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

# The entry that an object-based (TF2) checkpoint has, and a TF1 checkpoint has not.
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

# What TensorFlow's reader raises for damaged files, beside its own errors.
_ERRORS = (ValueError, RuntimeError, IndexError)


def find_prefix(path: str | Path) -> Path | None:
    """The common start of a checkpoint's files, "…/bert_model.ckpt", or None.

    Args:
        path: a directory, the common start itself, or one of the files. Of several
            checkpoints in a directory it is the one that the file `checkpoint` names,
            else bert_model.ckpt.

    Raises:
        ValueError: several, and nothing says which.
    """
    path = Path(path)
    if not path.is_dir():
        name = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path.name)
        return path.with_name(name) if _index(path.with_name(name)).is_file() else None
    found = sorted(file.with_suffix("") for file in path.glob("*.index"))
    if len(found) < 2:
        return found[0] if found else None
    for name in (_newest(path), "bert_model.ckpt"):
        if path / name in found:
            return path / name
    raise ValueError(
        f"Expected one checkpoint in {path}; there are "
        f"{', '.join(prefix.name for prefix in found[:5])}. Give the path of one: "
        f"{found[-1]}."
    )


class TensorBundle(Mapping):
    """Name -> NumPy array, read from disk each time it is asked for.

    Attributes:
        prefix: the common start of its files.
        shapes: name -> the tensor's shape, known without its numbers.

    Raises:
        FileNotFoundError: on opening, no index; on reading, no data.
        ValueError: a file that is damaged or cut short.
    """

    def __init__(self, prefix: str | Path):
        import tensorflow as tf

        self.prefix = Path(prefix)
        if not _index(self.prefix).is_file():
            raise FileNotFoundError(
                f"Expected a checkpoint in {_index(self.prefix)}; the file is not "
                "there."
            )
        try:
            self._reader = tf.train.load_checkpoint(str(self.prefix))
            shapes = self._reader.get_variable_to_shape_map()
        except (tf.errors.OpError, *_ERRORS) as error:
            raise ValueError(
                f"Expected the index of a checkpoint in {_index(self.prefix)}; it is "
                f"damaged ({_first_line(error)}). Copy or download it again."
            ) from None
        self.shapes = {name: tuple(shape) for name, shape in sorted(shapes.items())}

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __contains__(self, name: object) -> bool:  # Mapping's own reads the tensor
        return name in self.shapes

    def __getitem__(self, name: str) -> np.ndarray:
        import tensorflow as tf

        if name not in self.shapes:
            raise KeyError(name)
        try:
            return self._reader.get_tensor(name)
        except (tf.errors.OpError, *_ERRORS) as error:
            self._check_data()
            raise ValueError(
                f"Expected the numbers of {name} in the data of {self.prefix}; it is "
                f"damaged ({_first_line(error)}). Copy or download it again."
            ) from None

    def _check_data(self):
        """
        Raises:
            FileNotFoundError: a file of the data is not there.
        """
        files = sorted(self.prefix.parent.glob(f"{self.prefix.name}.data-*-of-*"))
        count = int(files[0].name[-5:]) if files else 1
        for i in range(count):
            file = f"{self.prefix.name}.data-{i:05d}-of-{count:05d}"
            if not self.prefix.with_name(file).is_file():
                raise FileNotFoundError(
                    f"Expected the numbers of {_index(self.prefix)} beside it; {file} "
                    "is missing: half a download? Fetch it, or all of its files, again."
                )


def write_tensors(tensors: Mapping[str, np.ndarray], prefix: str | Path) -> None:
    """Writes a checkpoint, and `checkpoint`, which names it, into a directory.

    The files are those of TF1's `tf.train.Saver`, less the graph (`.meta`), which
    nobody needs who restores by name.
    """
    import tensorflow as tf

    prefix, names = Path(prefix), sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(tensors[name]) for name in names],
    )
    (prefix.parent / "checkpoint").write_text(
        f'model_checkpoint_path: "{prefix.name}"\n'
        f'all_model_checkpoint_paths: "{prefix.name}"\n',
        "utf-8",
    )


def _index(prefix):
    return prefix.with_name(f"{prefix.name}.index")


def _newest(directory):
    """The name that the file `checkpoint` gives; its directories may be long gone."""
    file = directory / "checkpoint"
    text = file.read_text("utf-8", errors="replace") if file.is_file() else ""
    found = re.search(r'^model_checkpoint_path: "([^"]*)"', text, re.MULTILINE)
    return re.split(r"[/\\]", found[1])[-1] if found else ""


def _first_line(error):
    return str(getattr(error, "message", error)).splitlines()[0][:200]
