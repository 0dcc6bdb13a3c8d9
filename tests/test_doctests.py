"""Worked examples in docstrings are true: `pytest tests/test_doctests.py -k packer`.

An example is a `>>>` in the docstring of a module, class, method or function. It sees
the module's own names, runs in an empty directory, and is compared with ELLIPSIS and
NORMALIZE_WHITESPACE. Only modules that have one are imported.
"""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EXTRAS = {  # what a module may import at its top without being a dependency
    *("onnx", "onnxruntime", "tf2onnx", "tensorflow_serving"),
    *("prometheus_client", "starlette", "uvicorn"),
}
PARSER = doctest.DocTestParser()
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def num_examples(source):
    """The examples written in a file, whatever their docstrings belong to."""
    nodes = ast.walk(ast.parse(source))
    texts = [ast.get_docstring(node) for node in nodes if isinstance(node, DOCUMENTED)]
    return sum(len(PARSER.get_examples(text)) for text in texts if text)


def modules_with_examples(package):
    """Dotted name -> number of examples."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        source = path.read_text("utf-8")
        if ">>>" in source and (count := num_examples(source)):
            names = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(names).removesuffix(".__init__")] = count
    return found


def run_examples(module):
    """(number run, number failed, what doctest says of those)."""
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=said.append)
    counted = runner.summarize(verbose=False)
    return counted.attempted, counted.failed, "".join(said)


EXAMPLES = modules_with_examples(ROOT / "kbert")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        pytest.skip(f"{name} needs {error.name}: pip install 'kbert[test]'")
    attempted, failed, said = run_examples(module)
    assert failed == 0, said
    # None is left out: doctest finds no object under a decorator that hides it.
    assert attempted == EXAMPLES[name]


SOURCE = '''
"""A module.

>>> double(2)
{}
>>> [1.0,   2.0, 3.0]
[1.0, ...,
 3.0]
"""

def double(x):
    """[7] -> [14]

    >>> double(7)
    14
    """
    return 2 * x
'''


@pytest.mark.parametrize("value, failures", [(4, 0), (5, 1)])
def test_a_wrong_value_is_found(tmp_path, monkeypatch, value, failures):
    package = tmp_path / f"doubled_{value}"
    package.mkdir()
    (package / "__init__.py").write_text(SOURCE.format(value))
    (package / "bare.py").write_text('"""Nothing here."""\n')
    assert modules_with_examples(package) == {package.name: 3}
    monkeypatch.syspath_prepend(str(tmp_path))
    attempted, failed, said = run_examples(importlib.import_module(package.name))
    assert (attempted, failed) == (3, failures)
    if failures:
        assert "Expected:\n    5\nGot:\n    4" in said
