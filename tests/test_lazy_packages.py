"""Packages that only some commands need are required, and imported only when used."""

import ast
import configparser
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Distribution -> the packages that it may be imported as.
LAZY = {
    "tensorflow-datasets": {"tensorflow_datasets"},
    "keras-nlp": {"keras_nlp", "keras_hub"},
    "protobuf": {"google"},
    "tokenizers": {"tokenizers"},
}


def imports(tree):
    """(top package, whether the import stands in a function) of all imports."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            yield name.split(".")[0], id(node) in inside


def test_imports():
    tree = ast.parse("import a.b\ndef f():\n    from c.d import e\n    import a, g\n")
    assert sorted(imports(tree)) == [
        ("a", False),
        ("a", True),
        ("c", True),
        ("g", True),
    ]


@functools.cache
def imports_of_kbert():
    return [
        (str(file.relative_to(ROOT)), *found)
        for file in (ROOT / "kbert").rglob("*.py")
        for found in imports(ast.parse(file.read_text("utf-8")))
    ]


@pytest.mark.parametrize("distribution", LAZY)
def test_required_and_imported_only_when_used(distribution):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    required = setup["options"]["install_requires"].split("\n")
    assert any(line.split(" ")[0] == distribution for line in required)
    places = [
        (file, is_inside)
        for file, package, is_inside in imports_of_kbert()
        if package in LAZY[distribution]
    ]
    assert places  # it is used
    assert [file for file, is_inside in places if not is_inside] == []
