"""Every exported model answers without Python: through TensorFlow's C API alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import small_models

from kbert.server.loaded_model import LoadedModel

PROGRAM = Path(__file__).with_name("c_api.py")
TEXTS = {
    "text": ["영화가 좋다.", "", "the movie [MASK] (가 나)" + " 영화" * 90],
    "text_b": ["좋다!", "영화", ""],
    "question": ["영화가 좋다", "a", "가 나 다 " * 9],
    "choices": [["좋다.", "", ""], ["a", "영화", "가"], ["나 " * 40, "다", ""]],
    "context": ["가나 영화를 봤다.", "", "the movie 영화 좋다 가 나 " * 20],
}
COMMON = ("embed", "tokenize", "attention")


def run(calls, code=None):
    """The answers of the program, in a process of its own."""
    command = [sys.executable, str(PROGRAM)] if code is None else [sys.executable, "-c"]
    return subprocess.run(
        command if code is None else [*command, code],
        input=json.dumps(calls),
        cwd=PROGRAM.parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_answers(exported):
    calls, expected = [], []
    for name in small_models.KINDS:
        model = LoadedModel(exported(name))
        for signature, declared in model.signatures.items():
            if signature in COMMON and name != "pretrained":
                continue  # the same code in all of them
            for rows in (slice(0, 1), slice(0, 3)):
                inputs = {
                    tensor.name: TEXTS[tensor.name][rows]
                    for tensor in declared.inputs
                    if tensor.default is None  # the graph has the others'
                }
                if "layer" in {tensor.name for tensor in declared.inputs}:
                    inputs["layer"] = 1
                call = {"signature": signature, "inputs": inputs}
                calls.append({"model": str(exported(name)), **call})
                expected.append(model.call(signature, inputs))
    done = run(calls)
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout)
    assert len(answers) == len(calls) > 30
    for call, answer, direct in zip(calls, answers, expected, strict=True):
        assert set(answer) == set(direct), call
        for name, values in direct.items():
            assert answer[name]["shape"] == list(values.shape), (call, name)
            found = answer[name]["values"]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(found, values.ravel(), atol=1e-5)
            elif values.dtype == object:
                assert found == [value.decode() for value in values.ravel()]
            else:
                assert found == values.ravel().tolist()


def test_it_would_tell_if_python_had_helped():
    done = run([], "import numpy, c_api; c_api.main()")
    assert done.returncode == 1
    assert "imported: numpy" in done.stderr


def test_it_would_tell_what_tensorflow_refuses(exported):
    path = str(exported("pretrained"))
    inputs = {"text": ["[MASK]"], "k": 0}
    done = run([{"model": path, "signature": "fill_mask", "inputs": inputs}])
    assert done.returncode == 1
    assert "k must be at least 1" in done.stderr
