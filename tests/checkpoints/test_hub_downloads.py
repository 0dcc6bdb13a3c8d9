"""What of a hub's model is downloaded, and that every command takes a handle."""

import json
from pathlib import Path

import pytest

import kbert
from kbert.checkpoints import hubs
from kbert.checkpoints.hub_files import TEXT_FILES
from kbert.cli import main

constants = pytest.importorskip("huggingface_hub.constants")
from hub_server import COMMIT, Hub, serving  # noqa: E402

NAME = "someone/small-bert"
HANDLE = f"hf://{NAME}"
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "tf_model.h5", "model.onnx")

MODULES = [
    {"path": f"{i}_{name}", "type": f"sentence_transformers.models.{name}"}
    for i, name in enumerate(("BERT", "Pooling", "Dense"))
]


@pytest.fixture(scope="module")
def repositories(model):
    """The session's model, and beside it what others upload."""
    files = {p.name: p.read_bytes() for p in Path(model).iterdir() if p.is_file()}
    junk = {"README.md": b"#", "flax_model.msgpack": b"0", "onnx/model.onnx": b"0"}
    others = {"pytorch_model.bin": b"0", "tf_model.h5": b"0", "rust_model.ot": b"0"}
    return {
        NAME: files | junk | others,
        "someone/no-tokenizer": {"config.json": b"{}", "model.safetensors": b"0"},
        "someone/keras": {
            "config.json": b"{}",
            "tokenizer.json": b"{}",
            "assets/tokenizer/vocabulary.txt": b"a",
            "task.json": b"{}",
            "model.weights.h5": b"0",
            "task.weights.h5": b"0",
        },
        "someone/old-sentences": {
            "modules.json": json.dumps(MODULES).encode(),
            "0_BERT/config.json": b"{}",
            "0_BERT/vocab.txt": b"a",
            "0_BERT/pytorch_model.bin": b"0",
            "1_Pooling/config.json": b"{}",
            "2_Dense/config.json": b"{}",
            "2_Dense/pytorch_model.bin": b"0",
        },
        **{
            f"someone/only-{i}": {"config.json": b"{}", "vocab.txt": b"a"}
            | {file: b"0" for file in WEIGHTS[i:]}
            for i in range(len(WEIGHTS))
        },
    }


@pytest.fixture
def hub(repositories, tmp_path, monkeypatch):
    hub = Hub(repositories)
    with serving(hub) as address:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        hub.address = address
        yield hub


def weights_of(hub, name):
    return [file for file in hub.files_of(name) if file not in TEXT_FILES]


def test_a_tokenizer_costs_no_weights(hub):
    tokenizer = kbert.load_reference_tokenizer(HANDLE)
    assert tokenizer.tokenize("good bad") == ["good", "bad"]
    assert set(hub.files_of(NAME)) <= set(TEXT_FILES)
    assert "vocab.txt" in hub.files_of(NAME)
    hub.served.clear()
    kbert.load_tokenizer(HANDLE)  # from the cache
    assert not hub.served
    hubs.resolve(HANDLE)
    assert hub.files_of(NAME) == ["model.safetensors"]


@pytest.mark.parametrize("i", range(3))
def test_of_weights_the_first_format_is_downloaded(hub, i):
    hubs.resolve(f"hf://someone/only-{i}")
    assert weights_of(hub, f"someone/only-{i}") == [WEIGHTS[i]]


def test_weights_that_are_not_read_are_not_downloaded(hub):
    with pytest.raises(FileNotFoundError, match=r"Expected weights \(model.safetensor"):
        hubs.resolve("hf://someone/only-3")
    assert not weights_of(hub, "someone/only-3")


def test_the_files_of_other_layouts(hub, monkeypatch):
    hubs.resolve_tokenizer("hf://someone/keras")
    assert not [file for file in hub.served if file.endswith(".h5")]
    hubs.resolve("hf://someone/keras")
    assert {"model.weights.h5", "task.weights.h5"} < set(hub.files_of("someone/keras"))
    directory = hubs.resolve("hf://someone/old-sentences")
    assert (directory / "0_BERT" / "pytorch_model.bin").is_file()
    assert (directory / "1_Pooling" / "config.json").is_file()
    assert (directory / "2_Dense" / "pytorch_model.bin").is_file()
    damaged = {"modules.json": b"{}", "config.json": b"{}"}
    monkeypatch.setitem(hub.repositories, "someone/damaged", damaged)
    with pytest.raises(ValueError, match="Expected a list of modules"):
        hubs.resolve("hf://someone/damaged")


@pytest.mark.parametrize(
    ("handle", "error", "words"),
    [
        ("hf://someone/smal-bert", FileNotFoundError, "no such model or revision, or "),
        (f"{HANDLE}@v9", FileNotFoundError, "has no branch, tag or commit v9. Leave"),
        ("hf://someone/no-tokenizer", FileNotFoundError, "Expected a vocabulary .voca"),
        ("hf://someone/a/b", ValueError, "Expected a handle as hf://owner/name or"),
    ],
)
def test_what_is_not_on_the_hub_is_said_in_words(hub, handle, error, words):
    with pytest.raises(error, match=words):
        kbert.load_reference_tokenizer(handle)


def test_gated_and_offline(hub, monkeypatch):
    hub.gated.add(NAME)
    with pytest.raises(PermissionError, match="Accept the model's terms there and log"):
        kbert.load_tokenizer(HANDLE)
    hub.gated.clear()
    directory = hubs.resolve_tokenizer(f"{HANDLE}@{COMMIT}")
    hubs.resolve_tokenizer(HANDLE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hubs.resolve_tokenizer(HANDLE) == directory
    with pytest.raises(FileNotFoundError, match="a part of the model only: try again"):
        hubs.resolve(HANDLE)
    with pytest.raises(FileNotFoundError, match="HF_HUB_OFFLINE is set.*holds no whol"):
        hubs.resolve("hf://someone/only-0")


def test_commands_take_handles(hub, tmp_path, capsys, monkeypatch):
    """Those that need no more than the tokenizer, and those that need the model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens.txt").write_text("bad-good\n")
    (tmp_path / "texts.txt").write_text("good a\nbad b\n")
    assert main(["tokenize", "--vocabulary", HANDLE, "good a"]) == 0
    assert capsys.readouterr().out.startswith("good a\n")
    assert "model.safetensors" not in hub.files_of(NAME)
    for command in (
        ["extend-vocab", HANDLE, "--tokens", "tokens.txt", "--output", "more"],
        ["prune-vocab", HANDLE, "--texts", "texts.txt", "--output", "fewer"],
        ["fill-mask", HANDLE, "good [MASK]"],
        ["doctor", HANDLE],
        ["convert", HANDLE, "--to", "keras", "--output", "small.keras"],
        ["extract-features", HANDLE, "texts.txt"],
    ):
        assert main(command) in (0, 1 if command[0] == "doctor" else 0), command
    rows = [kbert.load(name).backbone.vocabulary_size for name in ("fewer", "more")]
    assert (
        rows[0] < 15 < rows[1] and main(["tokenize", "--vocabulary", "more", "a"]) == 0
    )
    assert weights_of(hub, NAME) == ["model.safetensors"]
    capsys.readouterr()
    assert main(["serve", HANDLE]) == 2
    assert f"Export it first: kbert export {HANDLE}" in capsys.readouterr().err


def test_pretraining_takes_handles(hub, tmp_path, monkeypatch):
    """A vocabulary alone costs no weights, and both are one download."""
    from kbert.commands import pretrain_run

    class Enough(Exception):
        pass

    def stop(options, config, rate, start):
        raise Enough(start)

    monkeypatch.setattr(pretrain_run, "_model", stop)
    (tmp_path / "corpus.txt").write_text("good a b\nbad c d\n\n" * 12)
    arguments = [str(tmp_path / "corpus.txt")], HANDLE, str(tmp_path / "bert")
    with pytest.raises(Enough, match="None"):
        kbert.pretrain(*arguments, sequence_length=16)
    assert weights_of(hub, NAME) == []
    with pytest.raises(Enough, match="BertPretrainer"):
        kbert.pretrain(*arguments, start_from=f"{HANDLE}@main", sequence_length=16)
    assert weights_of(hub, NAME) == ["model.safetensors"]


def test_an_export_has_the_models_name(hub, tmp_path, monkeypatch):
    from kbert.export import saved_model

    monkeypatch.setattr(
        saved_model, "write_saved_model", lambda servable, *rest: servable.name
    )
    assert kbert.export_saved_model(HANDLE, str(tmp_path)) == "small-bert"
    snapshot = hubs.resolve(HANDLE)
    assert snapshot.name == COMMIT
    assert kbert.export_saved_model(str(snapshot), str(tmp_path)) == "small-bert"
    assert kbert.export_saved_model(HANDLE, str(tmp_path), "mine") == "mine"


def test_what_models_on_hubs_are_called():
    assert hubs.hub_name(HANDLE) == hubs.hub_name(f"{HANDLE}@main") == "small-bert"
    assert hubs.hub_name("kerashub://bert_tiny_en_uncased") == "bert_tiny_en_uncased"
    assert hubs.hub_name("small-bert") is None


def test_a_name_without_a_scheme_is_told_of_its_handle():
    with pytest.raises(FileNotFoundError, match=f"hub is {HANDLE}"):
        kbert.load(NAME)
