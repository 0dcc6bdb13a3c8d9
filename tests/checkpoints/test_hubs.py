"""Handles: found in caches laid out as the hubs' libraries do, without a connection."""

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from kbert.checkpoints import hubs

huggingface_hub = pytest.importorskip("huggingface_hub")
pytest.importorskip("huggingface_hub.constants")
kagglehub = pytest.importorskip("kagglehub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever opens a connection or asks for an address fails, and is counted."""
    tries = []

    def refuse(*arguments, **keywords):
        tries.append(arguments)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return tries


@pytest.fixture
def hf_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.fixture
def kaggle_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    # Its own reads the whole stack five times per request, to say who is asking: 1 s
    # under pytest, and no request is sent here.
    monkeypatch.setattr(kagglehub.clients, "get_user_agent", lambda: "kbert's tests")
    return tmp_path


def fill_hf(cache, name, files, revision="main"):
    """A model in Hugging Face's cache: blobs, a snapshot of links to them, a ref."""
    model = cache / ("models--" + name.replace("/", "--"))
    snapshot = model / "snapshots" / COMMIT
    (model / "blobs").mkdir(parents=True)
    for i, file in enumerate(files):
        blob = model / "blobs" / f"{i:040x}"
        blob.write_text(json.dumps({"file": file}))
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).symlink_to(os.path.relpath(blob, (snapshot / file).parent))
    (model / "refs").mkdir()
    (model / "refs" / revision).write_text(COMMIT)
    return snapshot


def fill_kaggle(cache, handle, files, whole=False):
    """A model in Kaggle's cache: its files, and a mark for each or for all of them."""
    model = cache.joinpath("models", *handle.split("/"))
    marks = model.parent / ".complete" / model.name
    for file in files:
        (model / file).parent.mkdir(parents=True, exist_ok=True)
        (model / file).write_text("{}")
        if not whole:
            (marks / file).parent.mkdir(parents=True, exist_ok=True)
            (marks / f"{file}.complete").touch()
    if whole:
        model.with_name(f"{model.name}.complete").touch()
    return model


def test_is_handle():
    assert hubs.is_handle("hf://owner/name")
    assert hubs.is_handle("ftp://somewhere")
    for text in ("owner/name", "bert_tiny_en_uncased", "C:\\models", "./a://b", ""):
        assert not hubs.is_handle(text)
    assert not hubs.is_handle(Path("hf://owner/name"))


@pytest.mark.parametrize(
    "handle",
    [
        "owner/name",
        "bert_tiny_en_uncased",
        "ftp://owner/name",
        "HF://owner/name",
        "hf://",
        "hf://../x",
        "hf://owner/..",
        "hf://owner/name/more",
        "hf:///etc/passwd",
        "hf://owner\\name",
        "hf://owner/na me",
        "hf://owner/name\n",
        "hf://owner/name\x00",
        "hf://owner/a..b",
        "hf://owner/a--b",
        "hf://-owner/name",
        "hf://owner/name@",
        "hf://owner/name@../main",
        "hf://owner/name@/main",
        "hf://owner/name@a@b",
        "hf://owner/이름",
        "kaggle://keras/bert/keras",
        "kaggle://keras/bert/pyTorch/bert_base_en/3",
        "kaggle://keras/bert/keras/bert_base_en/x",
        "kaggle://keras/bert/keras/../3",
        "kaggle://keras/bert/keras/bert_base_en/3/config.json",
        "kerashub://../bert",
        "kerashub://a/b",
    ],
)
def test_names_that_are_no_handles_are_refused(handle, no_network, tmp_path):
    with pytest.raises(ValueError, match="Expected a handle as "):
        hubs.resolve(handle)
    assert not no_network


def test_huggingface_is_found_in_its_cache(hf_cache, no_network):
    snapshot = fill_hf(hf_cache, "owner/name", ["config.json", "model.safetensors"])
    assert hubs.resolve("hf://owner/name") == snapshot
    assert hubs.resolve("hf://owner/name@main") == snapshot
    assert hubs.resolve(f"hf://owner/name@{COMMIT}") == snapshot
    assert json.loads((snapshot / "config.json").read_text())["file"] == "config.json"
    assert not no_network


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.weights.h5"])
def test_other_weights_are_found_too(hf_cache, weights):
    snapshot = fill_hf(hf_cache, "name", ["config.json", weights], revision="v1.0")
    assert hubs.resolve("hf://name@v1.0") == snapshot


def test_pickles_are_asked_for_only_where_there_is_nothing_else(monkeypatch, tmp_path):
    asked = []

    def download(name, revision, allow_patterns):
        asked.append(allow_patterns)
        (tmp_path / "config.json").touch()
        if "pytorch_model.bin" in allow_patterns:
            (tmp_path / "pytorch_model.bin").touch()
        elif has_safetensors:
            (tmp_path / "model.safetensors").touch()
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    has_safetensors = True
    hubs.resolve("hf://owner/name")
    assert len(asked) == 1
    assert not any(p.endswith((".bin", ".msgpack")) for p in asked[0])
    assert "tf_model.h5" not in asked[0] and "*" not in asked[0]
    (tmp_path / "model.safetensors").unlink()
    has_safetensors = False
    hubs.resolve("hf://owner/name")
    assert len(asked) == 3 and "pytorch_model.bin" in asked[2]


def test_huggingface_that_is_not_in_the_cache_is_explained(hf_cache, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        hubs.resolve("hf://owner/name")
    message = str(caught.value)
    assert "Expected hf://owner/name from the hub or its cache" in message
    assert "HF_HUB_OFFLINE is set" in message
    assert f"{hf_cache / 'models--owner--name'} holds no whole copy of it" in message
    assert "pass its path in place of the handle" in message

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(FileNotFoundError, match="could not be downloaded .*no network"):
        hubs.resolve("hf://owner/name")


def test_a_part_of_a_model_in_the_cache_is_not_enough(hf_cache):
    fill_hf(hf_cache, "owner/name", ["config.json", "flax_model.msgpack"])
    with pytest.raises(FileNotFoundError, match=r"Expected weights .*hf://owner/name"):
        hubs.resolve("hf://owner/name")
    fill_hf(hf_cache, "owner/other", ["vocab.txt"])
    with pytest.raises(FileNotFoundError, match="Expected config.json and weights"):
        hubs.resolve("hf://owner/other")


KAGGLE = "keras/bert/keras/bert_tiny_en_uncased/3"
FILES = ["config.json", "model.weights.h5", *hubs._PRESET_FILES]


def test_kaggle_is_found_in_its_cache(kaggle_cache, no_network):
    model = fill_kaggle(kaggle_cache, KAGGLE, FILES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hubs.resolve(f"kaggle://{KAGGLE}") == model
    assert not no_network


def test_a_preset_is_found_by_kerashubs_name(kaggle_cache, no_network):
    pytest.importorskip("keras_hub")
    model = fill_kaggle(kaggle_cache, KAGGLE, FILES)
    assert hubs.resolve("kerashub://bert_tiny_en_uncased") == model
    with pytest.raises(ValueError, match="got 'bert_vast'. There are .*bert_base_en,"):
        hubs.resolve("kerashub://bert_vast")
    assert not no_network


def test_kaggle_downloaded_in_one_piece_is_found(kaggle_cache):
    model = fill_kaggle(kaggle_cache, KAGGLE, FILES[:2], whole=True)
    assert hubs.resolve(f"kaggle://{KAGGLE}") == model


def test_files_that_the_cache_may_lack_are_named(kaggle_cache):
    model = fill_kaggle(kaggle_cache, KAGGLE, FILES[:2])
    with pytest.warns(UserWarning, match="could not be asked for task.json, task.wei"):
        assert hubs.resolve(f"kaggle://{KAGGLE}") == model


def test_kaggle_that_is_not_in_the_cache_is_explained(kaggle_cache):
    with pytest.raises(FileNotFoundError) as caught:
        hubs.resolve(f"kaggle://{KAGGLE}")
    assert f"Expected kaggle://{KAGGLE} from the hub or its cache" in str(caught.value)
    where = kaggle_cache / "models" / KAGGLE
    assert f"{where} holds no whole copy of it" in str(caught.value)
    fill_kaggle(kaggle_cache, KAGGLE, FILES)
    unversioned = f"kaggle://{KAGGLE.removesuffix('/3')}"
    with pytest.raises(FileNotFoundError, match="a version that the cache has: 3."):
        hubs.resolve(unversioned)


def http_error(status):
    class Response:
        status_code = status

    return kagglehub.exceptions.KaggleApiHTTPError(f"{status} Error", Response())


def test_kaggles_answers(kaggle_cache, monkeypatch):
    def answers(status):
        def download(name, file):
            if file in FILES[:2] and status == 200:
                return str(kaggle_cache / file)
            raise http_error(404 if status == 200 else status)

        monkeypatch.setattr(kagglehub, "model_download", download)

    answers(200)  # of a backbone, which has no task: no warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hubs.resolve(f"kaggle://{KAGGLE}") == kaggle_cache
    for status, error, match in (
        (403, PermissionError, "Expected access to"),
        (404, FileNotFoundError, "no such model, version or file"),
        (500, FileNotFoundError, "could not be downloaded .*500 Error"),
    ):
        answers(status)
        with pytest.raises(error, match=match):
            hubs.resolve(f"kaggle://{KAGGLE}")


@pytest.mark.parametrize(
    ("package", "handle", "install"),
    [
        ("huggingface_hub", "hf://owner/name", "huggingface_hub"),
        ("kagglehub", f"kaggle://{KAGGLE}", "kagglehub"),
        ("keras_hub", "kerashub://bert_tiny_en_uncased", "keras-nlp"),
    ],
)
def test_a_library_that_is_missing_is_named(monkeypatch, package, handle, install):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {install}"):
        hubs.resolve(handle)


def test_the_environment_rules_over_a_fresh_process(tmp_path):
    """HF_HUB_CACHE and HF_HUB_OFFLINE, and neither TensorFlow nor Keras for it."""
    snapshot = fill_hf(tmp_path, "owner/name", ["config.json", "model.safetensors"])
    code = (
        "import sys; from kbert.checkpoints import hubs;"
        "print(hubs.resolve('hf://owner/name'));"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    environment = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(snapshot), "False"]


def test_a_presets_tokenizer_costs_no_weights(kaggle_cache, no_network):
    from kbert.checkpoints.tokenizers import load_reference_tokenizer

    files = [file for file in FILES if not file.endswith(".h5")]
    model = fill_kaggle(kaggle_cache, KAGGLE, files)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]
    (model / "assets/tokenizer/vocabulary.txt").write_text("\n".join(tokens) + "\n")
    settings = {"class_name": "BertTokenizer", "config": {"lowercase": True}}
    (model / "tokenizer.json").write_text(json.dumps(settings))
    tokenizer = load_reference_tokenizer(f"kaggle://{KAGGLE}")
    assert tokenizer.tokenize("Good") == ["good"]
    assert not no_network
    with pytest.raises(FileNotFoundError, match="could not be downloaded"):
        hubs.resolve(f"kaggle://{KAGGLE}")
