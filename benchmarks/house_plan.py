"""How many files one must know to follow a command, read from the sources.

    python benchmarks/house_plan.py [--package kbert]
    python benchmarks/house_plan.py --run finetune classification --train a.tsv …

Prints, in Markdown: files and lines of each folder, of package and tests; and for
`finetune`, `evaluate`, `predict`, `export` and `serve` the files that the command's
module reaches. "At the top" follows the imports that are made when the module is
imported; "in all" follows those inside functions too, tables of "module:Name" and
f"package.{name}" as well: whatever the command might ever need. Lines are all lines.

With --run, the rest of the line is a `kbert` command that is run under a profiler;
printed are the files of the package in which it called a function. It takes minutes
where the command takes one.

Nothing of the package is imported without --run, so that any state of it can be read.
"""

import argparse
import ast
import collections
import re
import sys
import threading
from pathlib import Path

COMMANDS = ("finetune", "evaluate", "predict", "export", "serve")
_PLACE = re.compile(r"([a-z_]+(?:\.\w+)+):\w+")  # "kbert.tasks.task:Task"


class House:
    """The modules of a package, and who imports whom.

    Args:
        package: its directory, as kbert.

    Attributes:
        files: the path of each module by its dotted name; a package's is __init__.py.
    """

    def __init__(self, package: Path):
        package = package.resolve()
        self.package, self.name = package, package.name
        self.files = {}
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            self.files[".".join(parts).removesuffix(".__init__")] = path

    def reached(self, module: str, is_lazy_counted: bool = True) -> set[str]:
        """The modules that one reaches through imports, itself included.

        The package's own __init__ is a table of public names and is not followed.
        """
        found, waiting = set(), [module]
        while waiting:
            name = waiting.pop()
            if name in found or name == self.name:
                continue
            found.add(name)
            tree = ast.parse(self.files[name].read_text("utf-8"))
            nodes = list(ast.walk(tree)) if is_lazy_counted else tree.body
            targets = {*_imported(nodes)}
            if is_lazy_counted:
                targets |= self._spelled(nodes)
            waiting += filter(None, map(self._module_of, targets))
        return found

    def lines(self, modules) -> int:
        """All lines of their files, blank ones and comments counted."""
        return sum(_num_lines(self.files[name]) for name in modules)

    def commands(self) -> dict[str, str]:
        """Command -> module, from the table in cli.py."""
        tree = ast.parse(self.files[f"{self.name}.cli"].read_text("utf-8"))
        found = {}
        for node in ast.walk(tree):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id == "Command":
                command, module = (argument.value for argument in node.args[:2])
                found[command] = module
        return found

    def _module_of(self, name):
        """kbert.text.packer.MultiSegmentPacker -> kbert.text.packer; of others, None"""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        return name or None

    def _spelled(self, nodes):
        """Modules named in strings: "module:Name", and the ends of f"package.{…}"."""
        strings, starts = set(), set()
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            elif isinstance(node, ast.JoinedStr) and len(node.values) > 1:
                first = getattr(node.values[0], "value", "")
                if isinstance(first, str) and first.startswith(f"{self.name}."):
                    starts.add(first)
        places = {match[1] for match in map(_PLACE.fullmatch, strings) if match}
        ends = {start + end for start in starts for end in strings}
        return {name for name in places | ends if name in self.files}


def _imported(nodes):
    """Dotted names: `from a.b import c` gives a.b.c."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _num_lines(path):
    return len(path.read_text("utf-8").splitlines())


def print_plan(house: House) -> None:
    """Both tables."""
    folders = collections.defaultdict(list)
    for path in house.files.values():
        folders[path.parent.relative_to(house.package.parent)].append(path)
    print("| folder | files | lines |\n|---|---|---|")
    for folder, paths in sorted(folders.items()):
        print(f"| {folder}/ | {len(paths)} | {sum(map(_num_lines, paths)):,} |")
    tests = sorted((house.package.parent / "tests").rglob("*.py"))
    for title, paths in (("package", house.files.values()), ("tests", tests)):
        lines = sum(map(_num_lines, paths))
        print(f"| **{title}** | {len(paths)} | {lines:,} |")
    print("\n| reached by | module | at the top | lines | in all | lines |")
    print("|---|---|---|---|---|---|")
    commands = house.commands()
    rows = {name: commands[name] for name in COMMANDS}
    rows["the server"] = _first(house, "server.serve", "serving.server")
    rows["BertPretrainer"] = f"{house.name}.models.pretrainer"
    for title, module in rows.items():
        cells = [title, f"`{module}`"]
        for is_lazy_counted in (False, True):
            found = house.reached(module, is_lazy_counted)
            cells += [str(len(found)), f"{house.lines(found):,}"]
        print(f"| {' | '.join(cells)} |")


def _first(house, *endings):
    names = (f"{house.name}.{ending}" for ending in endings)
    return next(name for name in names if name in house.files)


def run(house: House, words: list[str]) -> None:
    """Runs a command, and prints the files in which it called a function."""
    sys.path.insert(0, str(house.package.parent))
    start, seen, called = f"{house.package}/", set(), set()

    def is_ours(file):  # templates are code, too, to Jinja
        return file.startswith(start) and file.endswith(".py")

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and code not in seen:
            seen.add(code)
            # "<module>", class bodies and the like run when a file is imported.
            if is_ours(code.co_filename) and code.co_flags & 0x2:
                called.add(code.co_filename)

    from kbert.cli import main

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        exit_code = main(words)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    for file in sorted(called):
        print(f"{_num_lines(Path(file)):6,} {file.removeprefix(start)}")
    lines = sum(_num_lines(Path(file)) for file in called)
    print(f"kbert {words[0]} runs through {len(called)} files, {lines:,} lines")
    sys.exit(exit_code)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=Path("kbert"))
    parser.add_argument("--run", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    house = House(options.package)
    if options.run:
        run(house, options.run)
    else:
        print_plan(house)


if __name__ == "__main__":
    main()
