"""A run's directory: what is said and kept when it is stopped, and when it is done."""

import json

import pytest

from kbert.commands.pretrain_options import CorpusOptions, PretrainRows
from kbert.commands.run_directory import OutputOptions, RunDirectory


def begun(tmp_path, **output):
    options = (
        CorpusOptions(corpus=["a.txt", "b c.txt"], vocabulary="v"),
        PretrainRows(sequence_length=64),
        OutputOptions(output=str(tmp_path / "out"), **output),
    )
    return RunDirectory("pretrain", options, ("corpus",), {"steps": 3}, {"files": 2})


COMMAND = "kbert pretrain a.txt 'b c.txt' --vocabulary v --sequence-length 64 --output"


def test_a_finished_run(tmp_path):
    run = begun(tmp_path)
    assert run.path == tmp_path / "out.unfinished"
    with run.working(), run.finished({"best": 1}) as aside:
        (aside / "model").write_text("weights")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    facts = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert facts["arguments"] == {"steps": 3} and facts["best"] == 1
    assert facts["command"] == f"{COMMAND} {tmp_path / 'out'}"
    assert {"python", "tensorflow"} <= set(facts["versions"])


@pytest.mark.parametrize("overwrite", [False, True])
def test_interrupted_with_a_state(tmp_path, capsys, overwrite):
    with (
        pytest.raises(KeyboardInterrupt),
        begun(tmp_path, overwrite=overwrite).working() as path,
    ):
        (path / "model").mkdir()
        for step in (5, 12):
            state = path / "seed-0" / f"state-{step:08d}"
            state.mkdir(parents=True)
            (state / "progress.json").write_text("{}")
        raise KeyboardInterrupt
    flags = "--overwrite --resume" if overwrite else "--resume"
    assert capsys.readouterr().err == (
        f"Interrupted. The model so far is {path / 'model'}. The state at step 12 is "
        f"kept in {path}; go on with\n"
        f"  {COMMAND} {tmp_path / 'out'} {flags}\n"
    )
    assert path.is_dir()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_stopped_without_a_state_leaves_nothing(tmp_path, capsys, error):
    with pytest.raises(error), begun(tmp_path).working():
        raise error
    assert not list(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert ("nothing is kept" in said) == (error is KeyboardInterrupt)


def test_a_finished_run_is_not_begun_again(tmp_path, capsys):
    with begun(tmp_path).finished({}):
        pass
    left = tmp_path / "out.unfinished"  # as if killed before it was cleared
    left.mkdir()
    output = str(tmp_path / "out")
    resumed = OutputOptions(output, resume=True)
    assert resumed.is_finished({"steps": 3})
    resumed.check({"steps": 3})
    assert resumed.clear() == tmp_path / "out"
    assert not left.exists() and "finished already" in capsys.readouterr().out
    assert not resumed.is_finished({"steps": 4})
    assert not OutputOptions(output).is_finished({"steps": 3})
    with pytest.raises(FileExistsError, match="out does"):
        resumed.check({"steps": 4})


def test_an_unfinished_run_of_something_else(tmp_path):
    begun(tmp_path)
    resumed = OutputOptions(str(tmp_path / "out"), resume=True)
    resumed.check({"steps": 3})
    with pytest.raises(ValueError, match="steps was 3, is 4. Go on with the same"):
        resumed.check({"steps": 4})
