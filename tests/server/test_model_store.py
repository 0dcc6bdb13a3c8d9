"""Versions come, go and break while others use them."""

import shutil
import threading

import pytest
import tensorflow as tf

from kbert.server.model_store import ModelNotFound, ModelStore


def write(directory, answer):
    """A small SavedModel whose answer tells which version it is."""

    class Constant(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
        def __call__(self, text):
            return {"answer": tf.fill([tf.size(text)], answer)}

    module = Constant()
    aside = directory.with_name(f".{directory.name}.new")
    tf.saved_model.save(module, str(aside), module.__call__)
    aside.rename(directory)
    return directory


def answer_of(store, name="m", version=None):
    outputs = store.get(name, version).call("serving_default", {"text": ["x"]})
    return outputs["answer"][0]


def states(store, name="m"):
    return [(status.version, status.state) for status in store.status(name)]


def test_newest_version_takes_over(tmp_path):
    write(tmp_path / "m" / "1", 1)
    write(tmp_path / "other" / "3", 30)
    store = ModelStore(tmp_path)
    store.refresh()
    assert store.names() == ["m", "other"]
    old = store.get("m")
    write(tmp_path / "m" / "10", 10)  # newer than 9 would be, though "10" < "9"
    (tmp_path / "m" / ".11.new-5").mkdir()
    (tmp_path / "m" / "12").mkdir()  # nothing in it yet
    (tmp_path / "m" / "x").mkdir()
    store.refresh()
    assert answer_of(store) == 10
    assert states(store) == [(10, "AVAILABLE"), (1, "END")]
    assert old.call("serving_default", {"text": ["x"]})["answer"][0] == 1
    with pytest.raises(ModelNotFound, match=r"Specific\(m, 1\)"):
        store.get("m", 1)
    assert answer_of(store, "other", 3) == 30


def test_several_versions(tmp_path):
    for version in (1, 2, 3):
        write(tmp_path / "m" / str(version), version)
    store = ModelStore(tmp_path, num_versions=2)
    store.refresh()
    assert (answer_of(store), answer_of(store, "m", 2)) == (3, 2)
    with pytest.raises(ModelNotFound):
        store.get("m", 1)


@pytest.mark.parametrize("place", ["", "m", "m/7"])
def test_directories_of_three_kinds(tmp_path, place):
    write(tmp_path / "m" / "7", 7)
    store = ModelStore(tmp_path / place)
    store.refresh()
    assert (store.names(), answer_of(store)) == (["m"], 7)


def test_garbage_leaves_the_old_version(tmp_path):
    write(tmp_path / "m" / "1", 1)
    store = ModelStore(tmp_path)
    store.refresh()
    (tmp_path / "m" / "2").mkdir()
    (tmp_path / "m" / "2" / "saved_model.pb").write_bytes(b"garbage")
    store.refresh()
    store.refresh()  # is not tried again: nothing has changed
    assert answer_of(store) == 1
    assert states(store) == [(2, "END"), (1, "AVAILABLE")]
    assert "OSError" in store.status("m", 2)[0].error
    shutil.rmtree(tmp_path / "m" / "2")
    write(tmp_path / "m" / "2", 2)  # mended
    store.refresh()
    assert (answer_of(store), states(store)[0]) == (2, (2, "AVAILABLE"))


def test_files_replaced_in_place(tmp_path):
    directory = write(tmp_path / "m" / "1", 1)
    store = ModelStore(tmp_path)
    store.refresh()
    shutil.rmtree(directory)
    write(directory, 100)
    store.refresh()
    assert answer_of(store) == 100
    (directory / "saved_model.pb").write_bytes(b"x")
    store.refresh()
    assert (answer_of(store), states(store)) == (100, [(1, "AVAILABLE")])


def test_what_is_deleted_stays_in_service(tmp_path):
    write(tmp_path / "m" / "1", 1)
    store = ModelStore(tmp_path)
    store.refresh()
    shutil.rmtree(tmp_path / "m")
    store.refresh()
    shutil.rmtree(tmp_path)
    store.refresh()
    assert answer_of(store) == 1


@pytest.mark.parametrize("name", ["../m", "m/1", "", ".", "no"])
def test_names_are_no_paths(tmp_path, name):
    write(tmp_path / "m" / "1", 1)
    store = ModelStore(tmp_path)
    store.refresh()
    with pytest.raises(ModelNotFound, match="Servable not found for request: Latest"):
        store.get(name)
    with pytest.raises(ModelNotFound, match="Could not find any versions of model"):
        store.status(name)


def test_no_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a directory of models"):
        ModelStore(tmp_path / "no")


def test_swapped_while_others_call(tmp_path):
    write(tmp_path / "m" / "1", 1)
    store = ModelStore(tmp_path, poll_seconds=0.02)
    store.start()
    seen, errors, is_done = set(), [], threading.Event()

    def call():
        try:
            while not is_done.is_set():
                seen.add(int(answer_of(store)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in (2, 3):
        write(tmp_path / "m" / str(version), version)
        while answer_of(store) != version:
            pass
    is_done.set()
    for thread in threads:
        thread.join()
    store.stop()
    assert not errors
    assert seen == {1, 2, 3}
