"""`tf_model.h5`, as TensorFlow models of transformers 2 to 4 were saved.

An HDF5 file of Keras 2: a group for each layer of the model, whose attribute
`weight_names` lists what lies in it; in one of several files (`tf_model-00001-of-…`)
the tensors lie without groups of layers. Names become PyTorch's by the rules of
transformers' modeling_tf_pytorch_utils.py:

    bert/tf_bert_for_pre_training/bert/encoder/layer_._0/output/dense/kernel:0
    tf_bert_for_pre_training.bert.encoder.layer.0.output.dense.weight

and kernels, (in, out) there, are given as PyTorch's (out, in).
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

_LAST = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}
_MOST_OBJECTS = 100_000  # BERT-large has 400
_DEEPEST = 32  # groups within groups


class TensorFlowFile(Mapping):
    """Name, as PyTorch spells it -> NumPy array, read when it is asked for.

    Raises:
        ValueError: a damaged file, or one with links, tensors that lie in other files,
            that are compressed or that are no numbers.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._places: dict[str, str] = {}  # name -> path of the tensor in the file
        with self._opened() as file:
            for place, name in _tensors(file, self.path):
                # Layers that share a tensor have it each: the decoder has the table.
                self._places.setdefault(torch_name(name), place)
        if not self._places:
            raise ValueError(f"Expected tensors in {self.path}; there are none.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name) -> bool:
        return name in self._places  # Mapping's own would read the tensor

    def __getitem__(self, name: str) -> np.ndarray:
        place = self._places[name]
        with self._opened() as file:
            array = file[place][()]
        is_kernel = re.search(r"/kernel(:0)?$", place) is not None
        return array.T if is_kernel else array

    @contextlib.contextmanager
    def _opened(self):
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError, TypeError) as error:  # h5py's, all
            raise ValueError(
                f"Expected a whole HDF5 file in {self.path}; {error}. Copy or download "
                "it again."
            ) from None


def torch_name(name: str) -> str:
    """A TensorFlow variable's name as PyTorch's module has it.

    >>> torch_name("tf_bert_model/bert/encoder/layer_._0/output/LayerNorm/gamma:0")
    'tf_bert_model.bert.encoder.layer.0.output.LayerNorm.weight'
    >>> torch_name("m/mlm___cls/predictions/bias:0")
    'm.cls.predictions.bias'
    """
    name = re.sub(r":0$", "", name)
    name = re.sub(r"(^|/)[^/]*___([^/]*)(?=/)", r"\1\2", name)  # "x___y" is y
    *words, last = re.sub("//+", "/", name.replace("_._", "/")).split("/")
    return ".".join([*words, _LAST.get(last, last)])


def _tensors(file, path):
    """(path in the file, name) of each tensor; the file is looked through by hand, as
    h5py follows links to other files.
    """
    found, seen = [], 0

    def visit(group, place, name, depth):
        nonlocal seen
        for key in group:
            seen += 1
            if seen > _MOST_OBJECTS or depth > _DEEPEST:
                raise ValueError(
                    f"Expected the weights of a model in {path}; groups lie in groups "
                    "without an end."
                )
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(
                    f"Expected tensors in {path} itself; {place}/{key} is a link to "
                    "something else, which is not followed."
                )
            item = group[key]
            if isinstance(item, h5py.Dataset):
                _check_tensor(item, f"{place}/{key}", path)
                found.append((f"{place}/{key}", f"{name}/{key}".lstrip("/")))
            elif isinstance(item, h5py.Group):
                # Names of weights begin behind the group of their layer.
                is_layer = any(key.startswith("weight_names") for key in item.attrs)
                visit(
                    item,
                    f"{place}/{key}",
                    "" if is_layer else f"{name}/{key}",
                    depth + 1,
                )

    visit(file, "", "", 0)
    return found


def _check_tensor(dataset, name, path):
    if dataset.external or dataset.is_virtual:
        raise ValueError(
            f"Expected the tensor {name} in {path} itself; it lies in another file."
        )
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise ValueError(
            f"Expected numbers in {name} of {path}; they are {dataset.dtype}."
        )
    there = dataset.id.get_storage_size()
    if there < dataset.nbytes:
        raise ValueError(
            f"Expected all numbers of {name} in {path}, uncompressed, as Keras writes "
            f"them; {there} bytes of {dataset.nbytes} are there."
        )
