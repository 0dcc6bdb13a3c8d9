"""Directories as other programs leave them: they load, and compute the same numbers."""

import foreign_directories
import foreign_reference
import numpy as np
import pytest
from foreign_rows import ROWS
from foreign_table import TOLERANCE, differences, ids, lacking, vectors_difference

from kbert.checkpoints.load_and_save import load, load_backbone


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_outputs_and_ids_are_those_of_the_program_that_wrote_it(row, tmp_path):
    if lacking(row):
        pytest.skip(f"{lacking(row)} is not installed")
    expected = row.write(tmp_path / "model")
    found = differences(tmp_path / "model", expected)
    assert found and all(gap <= TOLERANCE for gap in found.values()), found
    if expected.ids is not None:
        assert ids(tmp_path / "model", expected) == expected.ids


def test_the_stored_numbers_are_those_of_transformers():
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    stored = np.load(foreign_reference.GOLDEN)
    computed = foreign_reference.stored_numbers()
    assert set(stored) == set(computed)
    for name, array in computed.items():
        np.testing.assert_allclose(stored[name], array, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "write",
    [
        foreign_directories.sentence_transformers,
        foreign_directories.sentence_transformers_0,
    ],
)
def test_vectors_of_texts_are_made_as_the_directory_says(write, tmp_path):
    expected = write(tmp_path / "model")
    assert vectors_difference(tmp_path / "model", expected) < 1e-5


@pytest.mark.parametrize(
    "write, names",
    [
        (foreign_directories.joint_bert, "is of JointBERT"),
        (foreign_directories.bert_crf, "a class of somebody's own, with crf.transit"),
        (foreign_directories.own_attribute, "is of IntentModel"),
        (foreign_directories.google_crf, "2 have no place in it: crf_loss/transitions"),
        (foreign_directories.h5_own, "own, with joint_bert.intent.weight"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*model_type")
def test_a_head_of_somebodys_own_is_said(write, names, tmp_path):
    expected = write(tmp_path / "model")
    with pytest.raises(ValueError, match=rf"{names}.* kbert\.load_backbone\(path\)"):
        load(tmp_path / "model")
    with pytest.warns(UserWarning, match="left out what stands beside the encoder") as (
        found
    ):
        load_backbone(tmp_path / "model")
    said = " ".join(str(warning.message) for warning in found)
    assert expected.left_out[0] in said
