"""States come and go one at a time; the newest whole one counts."""

import numpy as np

from kbert.training.state import load_state, save_state


def test_round_trip_and_one_state_at_a_time(tmp_path):
    assert load_state(tmp_path) is None
    for step in (3, 12):
        arrays = {
            "model": [np.full((2, 2), step, "float32"), np.array([1, 2], "uint32")]
        }
        save_state(tmp_path, {"step": step, "history": [{"loss": 0.5}]}, arrays)
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-00000012"]
    progress, arrays = load_state(tmp_path)
    assert progress == {"step": 12, "history": [{"loss": 0.5}]}
    assert arrays["model"][0].tolist() == [[12, 12], [12, 12]]
    assert arrays["model"][1].dtype == "uint32"


def test_the_newer_of_two_states_counts(tmp_path):
    save_state(tmp_path, {"step": 5}, {"model": [np.zeros(1)]})
    old = tmp_path / "state-00000005"
    old.rename(tmp_path / "kept")
    save_state(tmp_path, {"step": 100}, {"model": [np.ones(1)]})
    (tmp_path / "kept").rename(old)  # as if killed before the old one went
    assert load_state(tmp_path)[0]["step"] == 100


def test_scalars_and_more_than_ten_arrays_keep_their_order(tmp_path):
    values = [np.float32(i) for i in range(12)]
    save_state(tmp_path, {"step": 1}, {"optimizer": values})
    restored = load_state(tmp_path)[1]["optimizer"]
    assert [float(v) for v in restored] == [float(i) for i in range(12)]
    assert all(v.shape == () for v in restored)
