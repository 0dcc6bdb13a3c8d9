"""Exported models that all tests of the server share: exporting takes seconds."""

import functools

import pytest
import small_models

from kbert.serving.export import export_saved_model


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A kind of `small_models` -> its version directory, SAVED_MODELS/KIND/1."""
    path = tmp_path_factory.mktemp("exported")

    @functools.cache
    def version(kind):
        directory = small_models.KINDS[kind](path / "models" / kind)
        return export_saved_model(str(directory), str(path / "saved_models"))

    return version
