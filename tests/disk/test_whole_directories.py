"""Directories that are whole or not there, whatever the disk says."""

import errno
import os
import stat

import pytest

from kbert.checkpoints.huggingface import directory as huggingface
from kbert.checkpoints.load_and_save import load, save
from kbert.disk.whole_directories import write_directory
from kbert.models.backbone import BertBackbone


def made():
    return BertBackbone(8, 1, 2, 16, 24, max_sequence_length=12)


def test_written_and_replaced(tmp_path):
    with write_directory(tmp_path / "a") as aside:
        (aside / "file").write_text("old")
        assert not (tmp_path / "a").exists()
    with write_directory(tmp_path / "a", overwrite=True) as aside:
        (aside / "file").write_text("new")
        assert (tmp_path / "a" / "file").read_text() == "old"
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "error",
    [
        lambda aside: OSError(errno.ENOSPC, "No space left on device"),
        lambda aside: OSError(errno.EROFS, "Read-only file system", "/else/where"),
        lambda aside: PermissionError(errno.EACCES, "Permission denied", f"{aside}/f"),
    ],
)
def test_what_the_disk_refuses(tmp_path, error):
    raised = []
    with (
        pytest.raises(OSError, match="Expected to write .*/a; .*make room, or ch") as e,
        write_directory(tmp_path / "a") as aside,
    ):
        (aside / "half").write_text("x")
        raised.append(error(aside))
        raise raised[0]
    assert e.value.errno == raised[0].errno
    assert type(e.value) is type(raised[0])
    assert list(tmp_path.iterdir()) == []


def test_other_errors_are_passed_on(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="corpus"),
        write_directory(tmp_path / "a"),
    ):
        open(tmp_path / "corpus")  # noqa: SIM115
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_while_saving(tmp_path, monkeypatch, overwrite):
    if overwrite:
        save(made(), tmp_path / "model")

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise huggingface.SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    monkeypatch.setattr(huggingface, "save_file", full)
    with pytest.raises(OSError, match="Expected to write .*; No space left") as error:
        save(made(), tmp_path / "model", overwrite=overwrite)
    assert error.value.errno == errno.ENOSPC
    assert [p.name for p in tmp_path.iterdir()] == ["model"] * overwrite
    if overwrite:
        load(tmp_path / "model")


def test_a_place_that_may_not_be_written_to(tmp_path, monkeypatch):
    if os.geteuid() == 0:  # whom permissions do not stop

        def refused(path, *arguments, **options):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr("pathlib.Path.mkdir", refused)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PermissionError, match="Expected to write .*; Permission"):
            save(made(), tmp_path / "model")
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert list(tmp_path.iterdir()) == []
