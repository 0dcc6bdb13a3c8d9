"""What several rooms' tests share: a small model, files for it, exported models.

Imports stand inside: the tests of the core run on JAX, without TensorFlow.
"""

import functools

import pytest

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "good", "bad"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The directory of a model with random weights: 2 layers, D=32, 20 positions."""
    import keras

    import kbert

    keras.utils.set_random_seed(0)
    backbone = kbert.BertBackbone(
        len(TOKENS), 2, 2, 32, 64, max_sequence_length=20, initializer_range=0.1
    )
    directory = tmp_path_factory.mktemp("model") / "model"
    tokenizer = kbert.ReferenceTokenizer(TOKENS)
    kbert.save(kbert.BertPretrainer(backbone), directory, tokenizer)
    return str(directory)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A training file of 150 rows and a dev file of 31."""
    from small_files import rows, write

    directory = tmp_path_factory.mktemp("files")
    train = write(directory / "train.tsv", ("text", "label"), rows(150))
    return train, write(directory / "dev.tsv", ("text", "label"), rows(31, seed=1))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A kind of `small_models` -> its version directory, SAVED_MODELS/KIND/1."""
    import small_models

    import kbert

    path = tmp_path_factory.mktemp("exported")

    @functools.cache
    def version(kind):
        directory = small_models.KINDS[kind](path / "models" / kind)
        return kbert.export_saved_model(str(directory), str(path / "saved_models"))

    return version
