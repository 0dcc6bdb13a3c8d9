"""Files that are whole or not there, whatever the disk says."""

import errno
import os
import stat

import pytest

from kbert.disk.resumable_output import write_json
from kbert.disk.whole_directories import write_directory
from kbert.disk.whole_files import write_file


def test_written_and_replaced(tmp_path):
    file = tmp_path / "log.csv"
    with write_file(file) as aside:
        aside.write_text("old")
        assert not file.exists()
        assert aside.parent == tmp_path
        assert aside.suffix == ".csv"
        assert aside.name.startswith(".log.new-")
    with write_file(file) as aside:
        aside.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("name", ["ENOSPC", "EROFS", "EACCES"])
def test_what_the_disk_refuses(tmp_path, name):
    number, file = getattr(errno, name), tmp_path / "file"
    file.write_text("old")
    with (
        pytest.raises(OSError, match="Expected to write .*/file; .*make room") as told,
        write_file(file) as aside,
    ):
        aside.write_text("half")
        raise OSError(number, os.strerror(number), str(aside))
    assert told.value.errno == number
    assert os.strerror(number) in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "old"


def test_other_errors_are_passed_on(tmp_path):
    with (
        pytest.raises(ValueError, match="^not of the disk$"),
        write_file(tmp_path / "file") as aside,
    ):
        aside.write_text("half")
        raise ValueError("not of the disk")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_within_a_directory_is_told_once(tmp_path):
    with (
        pytest.raises(OSError, match="Expected to write .*/model; No space left") as e,
        write_directory(tmp_path / "model") as directory,
        write_file(directory / "vocab.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(e.value).count("Expected to write") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_json_does_not_know_leaves_the_old_file(tmp_path):
    file = tmp_path / "run.json"
    write_json(file, {"path": tmp_path})
    assert file.read_text() == f'{{\n  "path": "{tmp_path}"\n}}\n'
    with pytest.raises(ValueError, match="Circular reference"):
        write_json(file, _circle())
    assert "path" in file.read_text()


def _circle():
    circle = []
    circle.append(circle)
    return circle
