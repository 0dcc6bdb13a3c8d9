"""The command line: a table from subcommand to public function.

Options, defaults and help are read from the function's source, without importing it:
help must not wait for TensorFlow, which takes seconds. A parameter without a default is
a positional argument (`corpus`, `output` as `--output`, see `_POSITIONAL`), the others
are options; `list[...]` takes several values, a bool is a switch.
"""

import argparse
import ast
import contextlib
import dataclasses
import importlib
import inspect
import json
import os
import re
import sys
import warnings
from pathlib import Path

from kbert.commands.quiet_tensorflow import quiet_start


@dataclasses.dataclass(frozen=True)
class Command:
    """A subcommand: its name, its function's home and name, and what comes after.

    `next_command` is a format over the function's arguments and `result`. The module
    imports no framework: its function checks the arguments, and then imports one.
    """

    name: str
    module: str
    function: str
    next_command: str = ""


COMMANDS = (
    Command(
        "vocab",
        "kbert.commands.vocab",
        "vocab",
        "kbert pretrain {corpus} --vocabulary {output} --output my-bert",
    ),
    Command("tokenize", "kbert.commands.tokenize", "tokenize"),
    Command("extend-vocab", "kbert.commands.vocab", "extend_vocab"),
    Command("prune-vocab", "kbert.commands.vocab", "prune_vocab"),
    Command("convert", "kbert.commands.convert", "convert"),
    Command("doctor", "kbert.commands.doctor", "doctor"),
    Command("extract-features", "kbert.commands.extract_features", "feature_lines"),
    Command(
        "pretrain",
        "kbert.commands.pretrain",
        "pretrain",
        "kbert fill-mask {output} '… [MASK] …'\n"
        "  kbert finetune classification --model {output} --train train.tsv "
        "--output my-classifier",
    ),
    Command("fill-mask", "kbert.commands.predict", "fill_mask"),
    Command(
        "finetune",
        "kbert.commands.finetune",
        "finetune",
        "kbert evaluate {output} TEST-FILE\n  kbert predict {output} TEXTS",
    ),
    Command("evaluate", "kbert.commands.evaluate", "evaluate"),
    Command("predict", "kbert.commands.predict", "predict"),
    Command(
        "export",
        "kbert.commands.export",
        "export_saved_model",
        "kbert serve {output}",
    ),
    Command("export-onnx", "kbert.commands.export", "export_onnx"),
    Command("export-litert", "kbert.commands.export", "export_litert"),
    Command("serve", "kbert.commands.serve", "serve"),
    Command(
        "demo",
        "kbert.commands.demo",
        "demo",
        "echo '정말 재미있다' | kbert predict {output}/classifier",
    ),
)

_PACKAGE = Path(__file__).parent
_PYTHONS_FORMAT = warnings.formatwarning
# Parameters given by place; all others have a name.
_POSITIONAL = ("corpus", "task", "model", "text", "data", "models")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; gives the exit code: 0, 1 for failure, 2 for usage.

    Usage is what `argparse` refuses and what raises `UsageError`: options, and values
    of them, that can never be right. What is not there or in the way is a failure.
    """
    parser = _parser(sys.argv[1:] if arguments is None else arguments)
    options = vars(parser.parse_args(arguments))
    command, debug = options.pop("command"), options.pop("debug")
    # Both must be set before TensorFlow is imported. oneDNN is off by default on AMD
    # processors, where it makes training 1.3 to 1.5 times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _for_users(debug):
            module = importlib.import_module(command.module)
            result = getattr(module, command.function)(**options)
            _show(result)
    except KeyboardInterrupt:
        print("kbert: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, as `head`, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        message = str(error).strip() or type(error).__name__
        print(f"kbert {command.name}: {message}", file=sys.stderr)
        print("(--debug shows where)", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    words = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in options.items()
    }
    if command.next_command:
        text = command.next_command.format(**words, result=result)
        print(f"Next:\n  {text}", file=sys.stderr)
    return getattr(result, "exit_code", 0)  # a diagnosis has one


@contextlib.contextmanager
def _for_users(debug):
    """Without what libraries say while they start, and places in the code."""
    if debug:
        yield
        return
    warnings.formatwarning = _in_one_line
    try:
        with quiet_start():
            yield
    finally:
        warnings.formatwarning = _PYTHONS_FORMAT


def _in_one_line(message, category, filename, lineno, line=None):
    """What kbert warns of, without the place in its code."""
    if category is UserWarning and Path(filename).is_relative_to(_PACKAGE):
        return f"kbert: {message}\n"
    return _PYTHONS_FORMAT(message, category, filename, lineno, line)


def _show(result):
    """Paths and lines as they are, a dict as JSON; or an iterable of them."""
    if result is None:
        return
    if isinstance(result, (str, Path)) or hasattr(result, "exit_code"):
        print(result)
        return
    for item in [result] if isinstance(result, dict) else result:
        is_line = isinstance(item, str)
        print(item if is_line else json.dumps(item, ensure_ascii=False), flush=True)


def _parser(arguments):
    parser = argparse.ArgumentParser(
        prog="kbert",
        description="BERT, whole, in Keras: from raw text to a served model.",
        epilog="kbert COMMAND --help explains a command. Exit codes: 0; 1 for failure; "
        "2 for usage, that is an option or a value that can never be right.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        tree = _function_tree(command)
        docstring = inspect.cleandoc(ast.get_docstring(tree))
        sub = subparsers.add_parser(
            command.name,
            help=docstring.split("\n")[0].rstrip("."),
            description=docstring.split("\n\nArgs:")[0],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=command)
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
        if command.name in arguments:  # the others' options are not asked for
            _add_parameters(sub, tree, docstring)
    return parser


def _function_tree(command):
    path = Path(__file__).parent.joinpath(*command.module.split(".")[1:])
    tree = ast.parse(path.with_suffix(".py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == command.function:
            return node
    raise LookupError(f"{command.module} has no function {command.function}")


def _add_parameters(parser, tree, docstring):
    texts = _argument_texts(docstring)
    parameters = tree.args.args
    missing = [inspect.Parameter.empty] * (len(parameters) - len(tree.args.defaults))
    defaults = missing + [ast.literal_eval(node) for node in tree.args.defaults]
    for parameter, default in zip(parameters, defaults):
        annotation = ast.unparse(parameter.annotation)
        kind = re.search(r"\b(str|int|float|bool)\b", annotation).group(1)
        is_required = default is inspect.Parameter.empty
        text = texts[parameter.arg].replace("%", "%%")
        if not is_required and default not in (None, "") and kind != "bool":
            shown = " ".join(default) if isinstance(default, tuple) else default
            text += f" (default: {shown})"
        settings = {"help": text}
        if kind == "bool" and "None" in annotation:  # neither yes nor no by default
            settings |= {"action": argparse.BooleanOptionalAction}
        elif kind == "bool":
            settings |= {"action": "store_true"}
        else:
            settings |= {"type": {"str": str, "int": int, "float": float}[kind]}
        is_list = annotation.startswith("list")
        if parameter.arg in _POSITIONAL and annotation != "str | None":
            nargs = ("+" if is_required else "*") if is_list else None
            nargs = nargs if is_list or is_required else "?"
            settings |= {"nargs": nargs, "metavar": parameter.arg.upper()}
            settings |= {} if is_required else {"default": default}
            parser.add_argument(parameter.arg, **settings)
            continue
        if is_list:
            settings |= {"nargs": "+"}
        settings |= {} if is_required else {"default": default}
        flag = "--" + parameter.arg.replace("_", "-")
        parser.add_argument(flag, required=is_required, **settings)


def _argument_texts(docstring):
    """The `Args:` part of a docstring: parameter -> its text on one line."""
    part = docstring.partition("Args:\n")[2].partition("\n\n")[0]
    texts = {}
    for line in inspect.cleandoc(part).split("\n"):
        match = re.match(r"(\w+): (.*)", line)
        if match:
            name, texts[match[1]] = match[1], match[2]
        else:
            texts[name] += " " + line.strip()
    return texts
