"""The last two states are kept; damage is noticed, and the state before counts."""

import numpy as np
import pytest

from kbert.training.state import load_state, save_state, states


def save(directory, *steps):
    for step in steps:
        arrays = {"model": [np.full((2, 2), step, "float32"), np.array([1], "uint32")]}
        save_state(directory, {"step": step, "history": [{"loss": 0.5}]}, arrays)


def names(directory):
    return [path.name for path in states(directory)]


def test_round_trip_and_two_states_at_a_time(tmp_path):
    assert load_state(tmp_path) is None
    save(tmp_path, 3, 12, 100)
    assert names(tmp_path) == ["state-00000012", "state-00000100"]
    progress, arrays = load_state(tmp_path)
    assert progress == {"step": 100, "history": [{"loss": 0.5}]}
    assert arrays["model"][0].tolist() == [[100, 100], [100, 100]]
    assert arrays["model"][1].dtype == "uint32"


def cut(state):
    file = state / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    return "model.safetensors has changed"


def flip_a_bit(state):
    file = state / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    return "model.safetensors has changed"


def lose_a_file(state):
    (state / "progress.json").unlink()
    return "progress.json is missing"


def lose_the_hashes(state):
    (state / "sha256.json").write_text('{"model')
    return "sha256.json is missing or cut"


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lose_a_file, lose_the_hashes])
def test_the_state_before_a_damaged_one_counts(tmp_path, capsys, damage):
    save(tmp_path, 5, 10)
    words = damage(tmp_path / "state-00000010")
    assert load_state(tmp_path)[0]["step"] == 5
    message = capsys.readouterr().err
    assert f"state-00000010 is damaged ({words})" in message
    assert "going on from state-00000005, the state before it." in message
    assert names(tmp_path) == ["state-00000005"]
    save(tmp_path, 10)
    assert load_state(tmp_path)[0]["step"] == 10


def test_no_whole_state(tmp_path):
    save(tmp_path, 5, 10)
    for state in states(tmp_path):
        cut(state)
    with pytest.raises(ValueError, match="all are damaged .*Start again with --over"):
        load_state(tmp_path)
    assert len(states(tmp_path)) == 2


def test_scalars_and_more_than_ten_arrays_keep_their_order(tmp_path):
    values = [np.float32(i) for i in range(12)]
    save_state(tmp_path, {"step": 1}, {"optimizer": values})
    restored = load_state(tmp_path)[1]["optimizer"]
    assert [float(v) for v in restored] == [float(i) for i in range(12)]
    assert all(v.shape == () for v in restored)
