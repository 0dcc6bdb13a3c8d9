"""The command line: fast to answer, one function per command, honest exit codes."""

import ast
import importlib
import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_architecture import House, imported

import kbert
from kbert import cli


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "kbert", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def fastest(code):
    """Seconds of the fastest of three processes: the others were waiting."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *code], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_import_brings_no_framework():
    code = (
        "import sys, kbert; heavy = {'tensorflow', 'keras', 'numpy', 'jax', 'torch', "
        "'tokenizers', 'safetensors', 'tensorflow_text'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_brings_no_framework():
    code = (
        "import sys\nfrom kbert.cli import main\n"
        "try: main(['pretrain', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_import_and_help_are_fast():
    empty = fastest(["-c", "pass"])
    assert fastest(["-c", "import kbert"]) - empty < 0.3
    assert fastest(["-m", "kbert", "--help"]) < 0.7


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_command_equals_its_function(command, capsys):
    function = getattr(importlib.import_module(command.module), command.function)
    assert getattr(kbert, command.function) is function
    signature = inspect.signature(function)
    tree = cli._function_tree(command)
    names = [argument.arg for argument in tree.args.args]
    assert names == list(signature.parameters)
    values = [ast.literal_eval(node) for node in tree.args.defaults]
    by_name = dict(zip(names[len(names) - len(values) :], values))
    for name, parameter in signature.parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            assert by_name[name] == parameter.default
    with pytest.raises(SystemExit) as stopped:
        cli.main([command.name, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for name in names:
        flag = (
            name.upper() if name in cli._POSITIONAL else "--" + name.replace("_", "-")
        )
        assert flag in shown


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "required: COMMAND"),
        (["no-such-command"], "invalid choice: 'no-such-command'"),
        (["pretrain", "a.txt"], "required: --vocabulary, --output"),
        (["export"], "required: MODEL"),
        (
            ["finetune", "m", "--train", "t", "--output", "o", "--epochs", "x"],
            "--epochs",
        ),
    ],
)
def test_usage_errors_exit_with_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (
            ["export", "m", "--pooling", "median"],
            "weightedmean or lasttoken; got 'median'",
        ),
        (["export-onnx", "kbert_tiny_ko_en", "--name", "../up"], "with --name"),
        (["convert", "m", "--to", "keras2", "--output", "o"], "Did you mean keras"),
        (["convert", "kbert_tiny_ko_en", "--to", "keras", "--output", "o"], ".keras;"),
        (
            ["vocab", "a.txt", "--output", "o", "--held-out", "0.9"],
            "at most 0.5",
        ),
        (["predict", "m", "--resume"], "Expected --output FILE with --resume"),
        (["predict", "hf://a b"], "Expected a handle as hf://owner/name"),
        (["evaluate", "m", "a.tsv", "--encoding", "cp94"], "Did you mean cp949"),
        (["serve", "--port", "70000"], "at most 65535; got 70000"),
        (["fill-mask", "kbert_tiny_ko_en", "[MASK]", "--top-k", "0"], "at least 1"),
        (["tokenize", "a", "--compatibility", "bert"], "google or huggingface"),
    ],
)
def test_values_that_can_never_be_right_exit_with_2(arguments, said, capsys):
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.startswith(f"kbert {arguments[0]}: ")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["export", "nowhere"], "nowhere is neither. Presets: "),
        (["export", "kbert_tiny_ko_en", "--output", "file"], "file is a file"),
        (["convert", "kbert_tiny_ko_en", "--to", "keras", "--output", "a.keras"], "a."),
        (["extract-features", "kbert_tiny_ko_en", "fil"], "Did you mean file?"),
        (["extend-vocab", "kbert_tiny_ko_en", "--tokens", "t", "--output", "o"], "t d"),
        (["prune-vocab", "kbert_tiny_ko_en", "--texts", "t", "--output", "o"], "t d"),
        (["evaluate", "kbert_tiny_ko_en", "file"], "Make one with kbert finetune"),
        (["doctor", "kbert_tiny_ko_en", "--text", "t"], "t does not exist"),
        (["serve", "nowhere"], "Expected a directory of models; nowhere does not"),
        (["demo", "--output", "there"], "there does. Choose another"),
        (["vocab", "t", "--output", "o"], "t does not exist"),
    ],
)
def test_what_is_not_there_or_in_the_way(
    arguments, said, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("file", "a.keras"):
        (tmp_path / name).touch()
    (tmp_path / "there").mkdir()
    # None makes the import fail: whoever imports it before the checks is found out.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setitem(sys.modules, "keras", None)
    assert cli.main(arguments) == 1
    assert said in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"file", "a.keras", "there"}


@pytest.mark.parametrize(
    "command",
    [c for c in cli.COMMANDS if c.name not in ("finetune", "pretrain")],
    ids=lambda command: command.name,
)
def test_a_commands_module_is_light(command):
    house = House(Path(kbert.__file__).parent)
    found = house.reached(command.module, is_lazy_counted=False)
    heavy = {"tensorflow", "tensorflow_text", "keras", "safetensors", "jax", "torch"}
    for name in found:
        tree = ast.parse(house.files[name].read_text("utf-8"))
        assert not heavy & {n.split(".")[0] for n in imported(tree.body)}, name


def test_failure_exits_with_1_and_debug_shows_where(tmp_path):
    done = run("export", "no-such-model", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no-such-model is neither. Presets: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "cuda" not in done.stderr.lower()
    done = run("export", "no-such-model", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_vocab_and_what_comes_next(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("나는 학교에 간다\n너는 학교에 있다\n" * 20, "utf-8")
    arguments = ["vocab", "text.txt", "--output", "v", "--vocabulary-size", "60"]
    arguments += ["--max-alphabet", "20"]
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "v"
    assert "kbert pretrain text.txt --vocabulary v --output my-bert" in done.stderr
    tokens = (tmp_path / "v" / "vocab.txt").read_text("utf-8").split("\n")
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert "학교에" in tokens
    assert (
        '"do_lower_case": false' in (tmp_path / "v/tokenizer_config.json").read_text()
    )

    again = run(*arguments, cwd=tmp_path)
    assert again.returncode == 1
    assert "v does. Choose another or pass --overwrite" in again.stderr


def test_a_guess_is_said_in_one_line():
    file = Path(__file__).parent / "data" / "bert-base-uncased.txt"
    text = "Here is the sentence I want embeddings for."
    done = run("tokenize", text, "--vocabulary", str(file))
    assert done.stdout.split("\n")[0] == (
        "here is the sentence i want em ##bed ##ding ##s for ."
    )
    (line,) = done.stderr.rstrip().split("\n")
    assert line.startswith(f"kbert: {file} does not say how text is normalised; none")


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="module 'kbert' has no attribute 'nope'"):
        _ = kbert.nope
    assert "BertBackbone" in dir(kbert)
