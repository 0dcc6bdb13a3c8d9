"""A backbone on disk, opened once and built as often as there are trainings."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from kbert.checkpoints.formats import find_checkpoint
from kbert.checkpoints.keras.keras_file import is_keras_file, read_keras
from kbert.checkpoints.load_and_save import check_vocabulary
from kbert.checkpoints.model_builder import build
from kbert.config import BertConfig
from kbert.layers.quantization import is_quantized
from kbert.models.backbone import BertBackbone, backbone_of
from kbert.text.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class StoredBackbone:
    """See the module.

    Attributes:
        config: its sizes, known before it is built.
        build: a new `BertBackbone` with the weights on disk.
    """

    config: BertConfig
    build: Callable[[], BertBackbone]


def stored_backbone(
    path: Path, vocabulary: Vocabulary, is_built_again: bool = False
) -> StoredBackbone:
    """Opens a checkpoint of any format.

    Args:
        path: from `local_path`.
        vocabulary: of its tokenizer; must belong to it.
        is_built_again: the weights stay in memory after they were read.

    Raises:
        FileNotFoundError, ValueError: as `kbert.load`.
    """
    if is_keras_file(path):
        stored = _in_keras_file(path)
    else:
        checkpoint = find_checkpoint(path)
        if is_built_again:
            read = functools.cache(checkpoint.read)
            checkpoint = dataclasses.replace(checkpoint, read=read)
        stored = StoredBackbone(
            checkpoint.config, lambda: build(checkpoint, "backbone")[0]
        )
    directory = path if path.is_dir() else path.parent
    check_vocabulary(vocabulary, stored.config.vocabulary_size, directory)
    return stored


def _in_keras_file(path):
    model = read_keras(path)
    backbone = backbone_of(model)
    if is_quantized(backbone):
        raise ValueError(
            f"Expected weights that can be trained in {path}; they are quantized. "
            "kbert.save writes them as floating-point numbers: take that directory."
        )
    names = [field.name for field in dataclasses.fields(BertConfig)]
    config = BertConfig(**{name: getattr(backbone, name) for name in names})
    weights = backbone.get_weights()

    def build_again():
        again = BertBackbone.from_config(backbone.get_config())
        again.set_weights(weights)
        return again

    return StoredBackbone(config, build_again)
