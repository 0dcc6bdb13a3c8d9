"""Directories as other programs leave them: they load, and compute the same numbers."""

import pytest
from foreign_directories import ROWS, TOLERANCE, differences

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_outputs_are_those_of_the_program_that_wrote_it(row, tmp_path):
    expected = row.write(tmp_path / "model")
    found = differences(tmp_path / "model", expected)
    assert found and all(gap <= TOLERANCE for gap in found.values()), found
