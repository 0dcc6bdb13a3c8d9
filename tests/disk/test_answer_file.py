"""What was stopped ends byte for byte where it would have ended."""

import os

import pytest

from kbert.disk.answer_file import AnswerFile

FACTS = {"arguments": {"data": "a.tsv"}, "model": {"m": "12ab"}}
WINDOWS = [
    [{"i": 0}, {"i": 1}],
    [{"i": 2, "text": "줄\n바꿈"}, {"i": 3}, {"i": 4}, {"i": 5}],
    [{"i": 6}],
]


def written(path, is_resumed=False, stop_at=None, windows=WINDOWS, facts=FACTS):
    """Writes windows to the end or to an error; the numbers of those computed."""
    computed = []
    with AnswerFile(path, facts, is_resumed) as file:
        for number, window in enumerate(windows):
            if number == stop_at:
                raise KeyboardInterrupt
            if not file.has(len(window)):
                file.write(window)
                computed.append(number)
    return computed


def test_all_lines_in_order(tmp_path):
    path = tmp_path / "answers.jsonl"
    assert written(path) == [0, 1, 2]
    lines = path.read_text("utf-8").splitlines()
    assert lines[:3] == ['{"i": 0}', '{"i": 1}', '{"i": 2, "text": "줄\\n바꿈"}']
    assert len(lines) == 7
    assert os.listdir(tmp_path) == ["answers.jsonl"]


@pytest.mark.parametrize("stop_at", [1, 2])
def test_goes_on_behind_the_last_whole_window(tmp_path, stop_at, capsys):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        written(path, stop_at=stop_at)
    assert not path.exists()
    assert "answers.jsonl.unfinished/answers.jsonl; the same" in capsys.readouterr().err
    assert written(path, is_resumed=True) == [0, 1, 2][stop_at:]
    whole = tmp_path / "whole.jsonl"
    written(whole)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("lost", range(1, 40))
def test_wherever_the_file_was_cut(tmp_path, lost):
    whole, path = tmp_path / "whole.jsonl", tmp_path / "answers.jsonl"
    written(whole)
    with pytest.raises(KeyboardInterrupt):
        written(path, stop_at=2)
    part = tmp_path / "answers.jsonl.unfinished" / "answers.jsonl"
    os.truncate(part, part.stat().st_size - lost)
    assert written(path, is_resumed=True) == [1, 2]
    assert path.read_bytes() == whole.read_bytes()


def test_all_answers_were_there_already(tmp_path):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        written(path, stop_at=3, windows=[*WINDOWS, []])
    assert written(path, is_resumed=True) == []
    assert len(path.read_text("utf-8").splitlines()) == 7


def test_nothing_is_left_of_what_never_began(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "answers.jsonl", stop_at=0)
    assert os.listdir(tmp_path) == []
    assert capsys.readouterr().err == ""


def test_neither_asked_to_go_on_nor_to_start_again(tmp_path):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        written(path, stop_at=1)
    with pytest.raises(FileExistsError, match="Pass --resume to go on with it"):
        written(path)
    with AnswerFile(path, FACTS, False, overwrites=True) as file:
        assert not file.has(1)
        file.write([{"i": 9}])
    assert path.read_text("utf-8") == '{"i": 9}\n'


def test_another_model_is_not_gone_on_with(tmp_path):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        written(path, stop_at=1)
    other = FACTS | {"model": {"m": "34cd"}}
    with pytest.raises(ValueError, match="the model of .*; m was 12ab, is 34cd"):
        written(path, is_resumed=True, facts=other)
    assert written(path, is_resumed=True) == [1, 2]


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a directory"):
        AnswerFile(tmp_path, FACTS, False, overwrites=True)
