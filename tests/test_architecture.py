"""Imports point down, without cycles, and the core is free of TensorFlow."""

import ast
import graphlib
import importlib.util
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kbert"
_SPEC = importlib.util.spec_from_file_location(
    "house_plan", PACKAGE.parent / "benchmarks" / "house_plan.py"
)
_PLAN = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_PLAN)
House = _PLAN.House  # counts what a module reaches
ROWS = (
    ("config", "features", "signatures", "disk", "keras_classes"),
    ("registry",),
    ("text", "layers", "metrics"),
    ("models",),
    ("checkpoints", "pretraining", "tasks"),
    ("diagnosis", "training"),
    ("reports",),
    ("export", "server"),
    ("commands",),
    ("__init__",),  # the public names
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
FREE_OF_TENSORFLOW = {
    "config",
    "features",
    "layers",
    "models",
    "metrics",
    "pretraining",
}
# It serves SavedModels, which need no kbert: it reads their signatures and card.
READ_BY_SERVER = {"server", "signatures", "disk"}
JUNK_DRAWERS = {"utils.py", "common.py", "helpers.py", "misc.py"}


def imported(nodes):
    """Dotted names: `from a.b import c` gives a.b.c; relative ones begin with a dot."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def target_part(name):
    """kbert.layers.heads -> layers; kbert, and what is no part, -> __init__."""
    part = (*name.split("."), "__init__")[1]
    return part if part in RANK else "__init__"


def violations(package):
    """What breaks the rules in a tree of a package named kbert, one line each."""
    found, graph = set(), {}
    files = {path.relative_to(package): path for path in package.rglob("*.py")}

    def files_of(name):
        """The module itself, or, for a name inside a module, that module."""
        names = name.split(".")[1:]
        stems = ["/".join(names), "/".join(names[:-1])]
        return {Path(f"{stem}.py") for stem in stems} & set(files)

    for file, path in files.items():
        tree = ast.parse(path.read_text("utf-8"))
        names = set(imported(ast.walk(tree)))
        own = file.with_suffix("").parts[0]
        if own not in RANK:
            found.add(f"{file}: the part {own} has no row in this test")
            continue
        graph[file] = {
            target
            for name in imported(tree.body)
            if name.startswith("kbert.") and file != Path("__init__.py")
            for target in files_of(name)
        }
        for name in names:
            root = name.split(".")[0]
            if name.startswith("."):
                found.add(f"{file}: relative import")
            elif root == "kbert" and own != "__init__":
                target = target_part(name)
                if own == "server" and target not in READ_BY_SERVER:
                    found.add(f"{file}: the server imports {target}")
                if target != own and RANK[target] >= RANK[own]:
                    found.add(f"{file}: {target} is not below {own}")
            elif root.startswith("tensorflow") and own in FREE_OF_TENSORFLOW:
                found.add(f"{file}: TensorFlow in a part that is free of it")
        if file.name in JUNK_DRAWERS:
            found.add(f"{file}: a junk drawer")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.add("cycle: " + " -> ".join(map(str, error.args[1])))
    return sorted(found)


def test_the_package_keeps_the_rules():
    assert (PACKAGE / "models" / "backbone.py").is_file()
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    "file, source, expected",
    [
        ("layers/a.py", "import kbert.models", "models is not below layers"),
        ("layers/a.py", "from kbert.models import b", "models is not below layers"),
        ("layers/a.py", "from kbert import models", "models is not below layers"),
        ("layers/a.py", "from kbert import load", "__init__ is not below layers"),
        ("layers/a.py", "import kbert", "__init__ is not below layers"),
        ("layers/a.py", "from kbert.text import b", "text is not below layers"),
        (
            "tasks/a.py",
            "def f():\n    import kbert.training.b",
            "training is not below tasks",
        ),
        ("layers/a.py", "from . import b", "layers/a.py: relative import"),
        ("layers/a.py", "from .b import c", "layers/a.py: relative import"),
        ("server/a.py", "import kbert.config", "the server imports config"),
        (
            "server/a.py",
            "def f():\n    from kbert.tasks import b",
            "server/a.py: the server imports tasks",
        ),
        ("models/a.py", "import tensorflow as tf", "TensorFlow in a part"),
        ("pretraining/a.py", "def f():\n    import tensorflow_text", "TensorFlow in"),
        ("metrics/a.py", "from tensorflow.data import Dataset", "TensorFlow in"),
        ("text/utils.py", "", "text/utils.py: a junk drawer"),
        ("extras/a.py", "", "the part extras has no row"),
    ],
)
def test_a_violation_is_found(tmp_path, file, source, expected):
    path = tmp_path / "kbert" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    found = violations(tmp_path / "kbert")
    assert found
    assert all(expected in line for line in found)


def test_the_server_reads_signatures_and_disk(tmp_path):
    path = tmp_path / "kbert" / "server" / "a.py"
    path.parent.mkdir(parents=True)
    lines = ("kbert.server.b", "kbert.signatures", "kbert.disk.text_lines", "starlette")
    path.write_text("".join(f"import {name}\n" for name in lines))
    assert violations(tmp_path / "kbert") == []


@pytest.mark.parametrize(
    "module, most", [("kbert.server.serve", 10), ("kbert.models.pretrainer", 8)]
)
def test_few_modules_are_reached(module, most):
    found = House(PACKAGE).reached(module)
    assert module in found
    assert len(found) <= most, sorted(found)


def test_what_a_module_reaches(tmp_path):
    files = {
        "a": "import json\nfrom kbert.b.c import f\ndef g():\n    import kbert.d",
        "b/c": 'KINDS = ("kbert.e:Kind", "no.module:Name")\n',
        "d": 'NAMES = ("f", "json")\nMODULES = [f"kbert.{name}" for name in NAMES]',
        "e": "from kbert import a",
        "f": "import kbert",
        "g": "import kbert.a",
    }
    for name, source in files.items():
        path = tmp_path / "kbert" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    (tmp_path / "kbert" / "__init__.py").write_text("import kbert.g")
    house = House(tmp_path / "kbert")
    assert house.reached("kbert.a", is_lazy_counted=False) == {"kbert.a", "kbert.b.c"}
    found = house.reached("kbert.a")
    assert found == {f"kbert.{name}" for name in ("a", "b.c", "d", "e", "f")}
    assert house.lines(found) == 4 + 1 + 2 + 1 + 1


def test_a_cycle_is_found_and_the_innocent_pass(tmp_path):
    layers = tmp_path / "kbert" / "layers"
    layers.mkdir(parents=True)
    (layers / "a.py").write_text("from kbert.layers.b import f\nimport keras\n")
    (layers / "b.py").write_text("import kbert.config\n")
    (tmp_path / "kbert" / "config.py").write_text("import dataclasses\n")
    assert violations(tmp_path / "kbert") == []
    (layers / "b.py").write_text("from kbert.layers import a\n")
    (found,) = violations(tmp_path / "kbert")
    assert found.startswith("cycle: layers/")
