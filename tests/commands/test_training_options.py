"""Options: the same names and defaults as the function's, refused before any work."""

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from kbert.commands import finetune as finetuning
from kbert.commands import pretrain as pretraining
from kbert.commands.early_checks import UsageError
from kbert.commands.finetune_options import (
    DataOptions,
    FinetuneOptions,
    RowOptions,
    TrainingOptions,
    positions_of,
)
from kbert.commands.pretrain_options import (
    CorpusOptions,
    PretrainOptions,
    PretrainRows,
    PretrainTraining,
)
from kbert.commands.run_directory import OutputOptions
from kbert.commands.training_options import OPTIMIZERS, default_rate

GROUPS = {
    "finetune": (DataOptions, RowOptions, TrainingOptions, OutputOptions),
    "pretrain": (CorpusOptions, PretrainRows, PretrainTraining, OutputOptions),
}
FUNCTIONS = {"finetune": finetuning.finetune, "pretrain": pretraining.pretrain}


def defaults(command):
    """Of a function's parameters, as a dataclass would have them."""
    found = {}
    for name, parameter in inspect.signature(FUNCTIONS[command]).parameters.items():
        is_required = parameter.default is parameter.empty
        found[name] = dataclasses.MISSING if is_required else parameter.default
    return found


@pytest.mark.parametrize("command", GROUPS)
def test_each_parameter_is_a_field_with_its_default(command):
    fields = {f.name: f.default for g in GROUPS[command] for f in dataclasses.fields(g)}
    expected = defaults(command)
    expected.pop("preset", None)  # the former name of dataset
    assert fields == expected


@pytest.mark.parametrize("command", GROUPS)
def test_each_parameter_arrives_where_it_belongs(command, monkeypatch):
    """Every option away from its default, and no two alike."""
    values = {name: f"value of {name}" for name in defaults(command)}
    values |= {"preset": None} if command == "finetune" else {}
    whole = FinetuneOptions if command == "finetune" else PretrainOptions
    seen = []

    def stop(options):
        seen.append(options)
        raise InterruptedError

    monkeypatch.setattr(whole, "checked" if command == "finetune" else "check", stop)
    with pytest.raises(InterruptedError):
        FUNCTIONS[command](**values)
    values.pop("preset", None)
    arrived = {k: v for group in seen[0].groups for k, v in vars(group).items()}
    assert arrived == values


def test_both_names_of_a_data_set():
    with pytest.raises(UsageError, match="--dataset or its former name --preset, not"):
        finetuning.finetune("a.tsv", "out", dataset="nsmc", preset="nsmc")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"task": "classificaton"}, "Did you mean classification"),
        ({"task": "", "dataset": "nsmcc"}, "got 'nsmcc'. Close to it: nsmc"),
        ({"metric": "acuracy"}, "Expected a metric of .*; got 'acuracy'"),
        ({"optimizer": "adam"}, "Expected optimizer adamw or lamb; got 'adam'"),
        ({"strategy": "gpu"}, "Expected strategy none or mirrored; got 'gpu'"),
        ({"batch_size": 0}, "Expected batch_size of at least 1; got 0"),
        ({"sequence_length": 0}, "Expected sequence_length of at least 1; got 0"),
        ({"sequence_length": 999}, "sequence_length must be at most 128.*got 999"),
        ({"seeds": 0}, "Expected seeds of at least 1; got 0"),
        ({"seed": -1}, "Expected seed of at least 0 .*; got -1"),
        ({"lora_rank": 0}, "Expected lora_rank of at least 1; got 0"),
        ({"evaluate_every": 0}, "Expected evaluate_every of at least 1; got 0"),
        ({"patience": 0}, "Expected patience of at least 1; got 0"),
        ({"learning_rate": float("nan")}, "Expected learning_rate above 0 .*got nan"),
        ({"learning_rate": float("inf")}, "Expected learning_rate .*below inf; got"),
        ({"layer_decay": 1.5}, "Expected layer_decay above 0 and at most 1; got 1.5"),
        ({"clip_norm": 0.0}, "Expected clip_norm above 0"),
        ({"encoding": "cp94"}, "Did you mean cp949"),
        ({"class_weights": ["even"]}, "even"),
    ],
)
def test_finetune_refuses(tmp_path, options, message):
    train = tmp_path / "train.tsv"
    train.write_text("text\tlabel\na\t1\nb\t2\n")
    arguments = {"task": "classification"} | options
    with pytest.raises(ValueError, match=message):
        finetuning.finetune(str(train), str(tmp_path / "out"), **arguments)
    assert list(tmp_path.iterdir()) == [train]


def test_finetune_says_what_is_not_there(tmp_path):
    train = tmp_path / "train.tsv"
    train.write_text("text\tlabel\na\t1\nb\t2\n")
    output = str(tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="Did you mean train.tsv"):
        finetuning.finetune(str(tmp_path / "trian.tsv"), output, "classification")
    with pytest.raises(FileNotFoundError, match="dev.tsv does not exist"):
        finetuning.finetune(
            str(train), output, "classification", dev=str(tmp_path / "dev.tsv")
        )
    with pytest.raises(FileNotFoundError, match="no-model is neither"):
        finetuning.finetune(str(train), output, "classification", "no-model")
    (tmp_path / "out.unfinished").mkdir()
    with pytest.raises(FileExistsError, match="Expected no unfinished run"):
        finetuning.finetune(str(train), output, "classification")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": "tinny"}, "Expected size .*got 'tinny'. Did you mean tiny"),
        (
            {"dtype": "float16"},
            "Expected dtype float32, mixed_bfloat16 or mixed_float16",
        ),
        ({"dtype": "bfloat16"}, "Expected dtype .*Did you mean mixed_bfloat16"),
        ({"dtype": "bfloat61"}, "Expected dtype float32, .*got 'bfloat61'"),
        ({"optimizer": "sgd"}, "Expected optimizer adamw or lamb; got 'sgd'"),
        ({"strategy": "gpu"}, "Expected strategy none or mirrored; got 'gpu'"),
        ({"steps": 0}, "Expected steps of at least 1; got 0"),
        ({"batch_size": 0}, "Expected batch_size of at least 1; got 0"),
        ({"sequence_length": 7}, "Expected sequence_length of at least 8; got 7"),
        ({"learning_rate": 0.0}, "Expected learning_rate above 0"),
        ({"warmup_share": 1.1}, "Expected warmup_share of .*; got 1.1"),
        ({"dropout": 1.0}, "Expected dropout of at least 0 and below 1; got 1.0"),
        ({"held_out": -0.1}, "Expected held_out of at least 0 and below 1; got -0.1"),
        ({"evaluation_interval": 0}, "Expected evaluation_interval of at least 1"),
        ({"patience": 0}, "Expected patience of at least 1; got 0"),
        ({"patience": 1, "held_out": 0.0}, "Expected --held-out above 0 with patience"),
        ({"seed": 2**32}, "Expected seed of .*; got 4294967296"),
    ],
)
def test_pretrain_refuses(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        pretraining.pretrain(["a.txt"], "vocab.txt", str(tmp_path / "out"), **options)
    assert not list(tmp_path.iterdir())


def test_pretrain_says_what_is_not_there(tmp_path):
    text, output = tmp_path / "a.txt", str(tmp_path / "out")
    text.write_text("가\n")
    with pytest.raises(FileNotFoundError, match="no.txt does not exist"):
        pretraining.pretrain([str(tmp_path / "no.txt")], "vocab.txt", output)
    with pytest.raises(FileNotFoundError, match="no-vocabulary is neither"):
        pretraining.pretrain([str(text)], "no-vocabulary", output)
    with pytest.raises(FileNotFoundError, match="no-model is neither"):
        pretraining.pretrain(
            [str(text)], "kbert_tiny_ko_en", output, start_from="no-model"
        )
    assert list(tmp_path.iterdir()) == [text]


def test_no_framework_is_imported_before_all_is_checked(tmp_path):
    """Broken examples, too, are told before Keras and TensorFlow start."""
    program = """
import sys, kbert
train = open("train.tsv", "w"); train.write("text\\tlabel\\na\\t1\\n"); train.close()
for command, arguments in (
    (kbert.finetune, {"train": "train.tsv", "task": "clasification"}),
    (kbert.finetune, {"train": "no.tsv", "task": "classification"}),
    (kbert.finetune, {"train": "train.tsv", "task": "classification"}),
    (kbert.pretrain, {"corpus": ["no.txt"], "vocabulary": "v"}),
    (kbert.pretrain, {"corpus": ["train.tsv"], "vocabulary": "v", "size": "huge"}),
):
    try:
        command(output="out", **arguments)
    except (ValueError, FileNotFoundError) as error:
        print(error)
print({"keras", "tensorflow", "jax"} & set(sys.modules))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 6, done.stderr
    assert "at least two different labels" in lines[2]
    assert lines[-1] == "set()"
    assert [path.name for path in tmp_path.iterdir()] == ["train.tsv"]


def test_rates_by_default():
    assert default_rate("adamw", 5e-5, 768) == 5e-5
    assert default_rate("adamw", 5e-5, 128) == pytest.approx(3e-4)
    assert default_rate("lamb", 5e-5, 128) == pytest.approx(20 * 3e-4)


def test_optimizers_are_those_there_are():
    from kbert.training import optimizers

    assert tuple(optimizers.OPTIMIZERS) == OPTIMIZERS


def test_positions_are_read_where_they_are_told(tmp_path):
    assert positions_of("kbert_tiny_ko_en") == 128
    assert positions_of("hf://owner/name") is None
    assert positions_of(str(tmp_path)) is None
    assert positions_of(str(tmp_path / "model.keras")) is None
