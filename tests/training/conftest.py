"""A pre-trained model of 2 layers, and files to fine-tune it on."""

import keras
import pytest
from small_files import rows, write

from kbert.checkpoints.model_directory import save
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.text.reference_tokenizer import ReferenceTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "good", "bad"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The directory of a model with random weights: D=32, 20 positions."""
    keras.utils.set_random_seed(0)
    backbone = BertBackbone(
        len(TOKENS), 2, 2, 32, 64, max_sequence_length=20, initializer_range=0.1
    )
    directory = tmp_path_factory.mktemp("model") / "model"
    save(BertPretrainer(backbone), directory, ReferenceTokenizer(TOKENS))
    return str(directory)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A training file of 150 rows and a dev file of 31."""
    directory = tmp_path_factory.mktemp("files")
    train = write(directory / "train.tsv", ("text", "label"), rows(150))
    return train, write(directory / "dev.tsv", ("text", "label"), rows(31, seed=1))
