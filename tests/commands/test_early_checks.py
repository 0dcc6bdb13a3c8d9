"""What cannot work is refused at once, in words that help."""

import subprocess
import sys

import pytest

from kbert.commands.early_checks import (
    UsageError,
    check_choice,
    check_counts,
    check_data,
    check_encoding,
    check_file,
    check_model,
    check_number,
    check_output,
    check_packages,
    check_run_output,
    check_share,
)


def test_none_is_not_given_and_passes():
    check_model(None)
    check_file(None)
    check_data(None)
    check_choice("task", None, ["tagging"])
    check_output(None)
    check_run_output(None, False, False)
    check_number("seed", None, least=0)
    check_counts(steps=None)
    check_share("dev_share", None)
    assert check_encoding(None) is None


def test_models(tmp_path):
    (tmp_path / "model.keras").touch()
    (tmp_path / "bert_model.ckpt.index").touch()
    for model in (tmp_path, tmp_path / "model.keras", tmp_path / "bert_model.ckpt"):
        check_model(model)
    for name in ("kbert_tiny_ko_en", "hf://klue/bert-base@main", "kerashub://bert_x"):
        check_model(name)
    with pytest.raises(FileNotFoundError, match="nope is neither. Presets: kbert_tiny"):
        check_model(tmp_path / "nope")
    for handle in ("hf://a/b/c", "hub://a/b", "kaggle://a"):
        with pytest.raises(UsageError, match="Expected a handle as"):
            check_model(handle)


def test_files_and_data(tmp_path):
    (tmp_path / "train.tsv").write_text("text\tlabel\n")
    check_file(tmp_path / "train.tsv")
    check_data(str(tmp_path / "train.tsv"))
    check_data("tfds:glue/sst2")
    with pytest.raises(FileNotFoundError, match=r"exist. Did you mean train.tsv\?"):
        check_data(tmp_path / "trian.tsv")
    with pytest.raises(FileNotFoundError, match="Expected texts; .*dev.tsv does not"):
        check_file(tmp_path / "nowhere" / "dev.tsv", "texts")
    with pytest.raises(FileNotFoundError, match="NAME; .* does not exist"):
        check_data("정말 재미있다 " * 100)  # too long for a name of a file
    with pytest.raises(IsADirectoryError, match="tfds:NAME; .* is a directory"):
        check_data(tmp_path)


def test_choices():
    check_choice("strategy", "mirrored", ("none", "mirrored"))
    expected = "Expected strategy none or mirrored; got 'gpu'.$"
    with pytest.raises(UsageError, match=expected):
        check_choice("strategy", "gpu", ("none", "mirrored"))
    expected = r"task tagging, regression or x; got 'taging'. Did you mean tagging\?"
    with pytest.raises(UsageError, match=expected):
        check_choice("task", "taging", ("tagging", "regression", "x"))
    with pytest.raises(UsageError, match="Expected kind one; got 'two'."):
        check_choice("kind", "two", ["one"])


def test_outputs(tmp_path):
    file, directory = tmp_path / "file", tmp_path / "directory"
    file.touch()
    directory.mkdir()
    check_output(tmp_path / "a" / "b")
    check_output(file, True, "file")
    check_output(directory, True)
    with pytest.raises(FileExistsError, match="directory does. .*--overwrite"):
        check_output(directory)
    with pytest.raises(IsADirectoryError, match="a file to write; .* is a directory"):
        check_output(directory, True, "file")
    with pytest.raises(NotADirectoryError, match="a directory to write; .* is a file"):
        check_output(file, True)
    with pytest.raises(NotADirectoryError, match="to make the directory .*file is a f"):
        check_output(file / "a" / "b")


def test_an_output_that_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="may be written to; .* may not. Choose"):
        check_output(tmp_path / "a")


def test_unfinished_runs(tmp_path):
    output = tmp_path / "run"
    check_run_output(output, False, False)
    (tmp_path / "run.unfinished").mkdir()
    check_run_output(output, True, False)
    check_run_output(output, False, True)
    with pytest.raises(FileExistsError, match="no unfinished run.*Pass --resume"):
        check_run_output(output, False, False)
    assert [path.name for path in tmp_path.iterdir()] == ["run.unfinished"]


def test_numbers():
    check_number("port", 0, least=0, most=65535)
    check_number("rate", 1e-9, above=0)
    check_counts(steps=1, batch_size=64)
    check_share("dev_share", 0)
    expected = "Expected held_out of at least 0 and at most 0.5; got 0.7."
    with pytest.raises(UsageError, match=expected):
        check_number("held_out", 0.7, least=0, most=0.5)
    with pytest.raises(UsageError, match="Expected rate above 0; got 0."):
        check_number("rate", 0, above=0)
    with pytest.raises(UsageError, match="batch_size of at least 1; got -3."):
        check_counts(steps=1, batch_size=-3)
    for share in (1, -0.1, float("nan")):
        with pytest.raises(UsageError, match="dev_share of at least 0 and below 1; g"):
            check_share("dev_share", share)


def test_encodings():
    for name in ("utf-8", "cp949", "UTF-16", "euc-kr", "utf-8-sig"):
        check_encoding(name)
    with pytest.raises(UsageError, match="got 'cp94'. Did you mean cp949"):
        check_encoding("cp94")
    for name in ("hex", "no\0such", "klingon"):
        with pytest.raises(UsageError, match="Expected an encoding that Python knows"):
            check_encoding(name)


def test_packages(monkeypatch):
    check_packages("onnx", "json", "os")
    monkeypatch.setitem(sys.modules, "onnx", None)
    expected = r"kbert\[onnx\]; onnx is missing. .*pip install 'kbert\[onnx\]'"
    with pytest.raises(ModuleNotFoundError, match=expected):
        check_packages("onnx", "json", "onnx")


def test_they_bring_no_framework():
    code = (
        "import sys, kbert.commands.early_checks as checks\n"
        "checks.check_model('kbert_tiny_ko_en')\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'huggingface_hub'} & {*sys.modules}\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
