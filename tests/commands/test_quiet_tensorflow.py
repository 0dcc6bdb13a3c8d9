"""The start-up log is kept from the screen, and shown where starting fails.

A package named tensorflow stands in for the real one, which takes seconds to import.
"""

import os
import subprocess
import sys

import pytest

from kbert.commands.quiet_tensorflow import quiet_start

STARTING = """
import os, sys
os.write(2, b"cuda: no device\\n")
print("a warning", file=sys.stderr)
def constant(value):
    os.write(2, b"devices: CPU\\n")
"""


def run(directory, source, code):
    (directory / "tensorflow").mkdir()
    (directory / "tensorflow" / "__init__.py").write_text(source)
    code = f"import os, sys\nfrom kbert.commands.quiet_tensorflow import *\n{code}"
    paths = [str(directory), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def test_only_the_start_is_quiet(tmp_path):
    code = """
with quiet_start():
    print("before", file=sys.stderr)
    import json, tensorflow
    print("after", file=sys.stderr)
    os.write(2, b"later\\n")
    assert "exec_module" not in vars(tensorflow.__spec__.loader)
"""
    done = run(tmp_path, STARTING, code)
    assert (done.returncode, done.stderr) == (0, "before\nafter\nlater\n")


def test_a_start_that_fails_is_shown(tmp_path):
    code = """
with quiet_start():
    try:
        import tensorflow
    except ImportError as error:
        print("caught:", error, file=sys.stderr)
"""
    done = run(tmp_path, STARTING + 'raise ImportError("no AVX")', code)
    assert done.returncode == 0
    assert done.stderr == "cuda: no device\na warning\ncaught: no AVX\n"


def test_without_it_nothing_is_hidden(tmp_path):
    code = "with quiet_start():\n    pass\nimport tensorflow"
    done = run(tmp_path, STARTING, code)
    assert done.stderr == "cuda: no device\na warning\n"


def test_the_finder_goes_when_the_command_ends():
    finders = list(sys.meta_path)
    with pytest.raises(RuntimeError, match="the command's"), quiet_start():
        assert len(sys.meta_path) == len(finders) + 1
        raise RuntimeError("the command's")
    assert sys.meta_path == finders
