"""Model directories: exact, whole or not there, and refused with a reason."""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kbert.checkpoints.huggingface import directory as huggingface
from kbert.checkpoints.load_and_save import (
    load,
    load_backbone,
    load_tokenizer,
    load_vocabulary,
    save,
    tokenizer_arguments,
)
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.text_classifier import BertTextClassifier
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer

MODEL = Path(__file__).parents[1] / "data" / "sentencepiece.model"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]


def made(kind="pretrainer", seed=0, dtype=None):
    backbone = BertBackbone(
        8, 2, 2, 16, 24, activation="gelu_tanh", max_sequence_length=12, dtype=dtype
    )
    model = {
        "backbone": lambda: backbone,
        "pretrainer": lambda: BertPretrainer(backbone),
        "classifier": lambda: BertTextClassifier(backbone, 3, dropout=0.3),
    }[kind]()
    for i, weight in enumerate(model.weights):
        rng = np.random.default_rng([seed, i])
        weight.assign(rng.normal(size=weight.shape))
    return model


def assert_same_weights(model, other):
    assert type(model) is type(other)
    assert len(model.weights) == len(other.weights)
    for a, b in zip(model.weights, other.weights, strict=True):
        assert a.path.split("/")[1:] == b.path.split("/")[1:]
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        assert np.array_equal(a, b)


def tokenizer(tokens=TOKENS, **arguments):
    return ReferenceTokenizer(tokens, **arguments)


@pytest.fixture
def saved(tmp_path):
    save(made(), tmp_path / "model")
    return tmp_path / "model"


def change_config(directory, **fields):
    path = directory / "config.json"
    config = json.loads(path.read_text("utf-8")) | fields
    path.write_text(json.dumps(config), "utf-8")


def change_weights(directory, change):
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("kind", ["backbone", "pretrainer", "classifier"])
def test_round_trip_is_exact(tmp_path, kind):
    model = made(kind)
    more = {"id2label": {"0": "x", "1": "y", "2": "z"}} if kind == "classifier" else {}
    assert save(model, tmp_path / "model", config=more) == tmp_path / "model"
    loaded = load(tmp_path / "model")
    assert_same_weights(model, loaded)
    backbone, other = (getattr(m, "backbone", m) for m in (model, loaded))
    assert other.get_config() == backbone.get_config()


def test_classifier_without_labels_round_trips(tmp_path):
    # Three classes, and nothing in `config` that says so.
    model = made("classifier")
    save(model, tmp_path / "model")
    assert_same_weights(model, load(tmp_path / "model"))


def test_classifiers_dropout_round_trips(tmp_path):
    model = made("classifier")
    labels = {"id2label": {"0": "x", "1": "y", "2": "z"}}
    save(model, tmp_path / "model", config=labels)
    assert load(tmp_path / "model").dropout == 0.3


def test_backbone_alone_out_of_any_head(tmp_path):
    for kind in ("pretrainer", "classifier"):
        model = made(kind)
        save(model, tmp_path / kind, config={"id2label": dict.fromkeys("012", "x")})
        assert_same_weights(model.backbone, load_backbone(tmp_path / kind))


def test_the_tie_holds_after_loading(saved):
    model = load(saved)
    table = model.backbone.embeddings.token_embedding
    assert model.masked_lm_head.token_embedding is table


def test_files_and_names(saved):
    assert sorted(p.name for p in saved.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    tensors = load_file(saved / "model.safetensors")
    assert tensors["bert.embeddings.word_embeddings.weight"].shape == (8, 16)
    assert tensors["bert.encoder.layer.1.intermediate.dense.weight"].shape == (24, 16)
    assert tensors["cls.seq_relationship.weight"].shape == (2, 16)
    assert "cls.predictions.decoder.weight" not in tensors
    # 3 tables, 2 of the norm, 16 in each layer, pooler 2, heads 2 + 2 + 1 + 2
    assert len(tensors) == 3 + 2 + 2 * 16 + 2 + 7
    assert {t.dtype.name for t in tensors.values()} == {"float32"}
    config = json.loads((saved / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["BertForPreTraining"]
    assert config["hidden_act"] == "gelu_new"
    assert config["vocab_size"] == 8


def test_bfloat16_weights_are_written_in_float32(tmp_path):
    model = made("backbone", dtype="bfloat16")
    save(model, tmp_path / "model")
    whole = load(tmp_path / "model", dtype="float32")
    again = load(tmp_path / "model", dtype="bfloat16")
    for a, b, c in zip(model.weights, whole.weights, again.weights, strict=True):
        a, b, c = (
            keras.ops.convert_to_numpy(keras.ops.cast(w, "float32")) for w in (a, b, c)
        )
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)


def test_dtype_of_loading(saved):
    assert load(saved, "mixed_bfloat16").backbone.policy.name == "mixed_bfloat16"


def test_tokenizer_round_trip(tmp_path):
    own = tokenizer(lowercase=False, strip_accents=True, split_on_cjk=False)
    save(made(), tmp_path / "model", own)
    assert tokenizer_arguments(tmp_path / "model") == {
        "vocabulary": own.vocabulary,
        "lowercase": False,
        "strip_accents": True,
        "split_on_cjk": False,
        "compatibility": "google",
    }
    assert load_vocabulary(tmp_path / "model").tokens == tuple(TOKENS)
    text = (tmp_path / "model" / "tokenizer_config.json").read_text("utf-8")
    assert json.loads(text)["model_max_length"] == 12
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["pad_token_id"] == 0
    load(tmp_path / "model")


def test_sentencepiece_round_trip(tmp_path):
    own = SentencePieceTokenizer(MODEL)
    model = BertBackbone(1000, 1, 2, 16, 24, max_sequence_length=12)
    save(model, tmp_path / "model", own)
    assert_same_weights(model, load(tmp_path / "model"))
    again = load_tokenizer(tmp_path / "model")
    assert again.vocabulary == own.vocabulary
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    assert config["pad_token_id"] == 1
    with pytest.raises(ValueError, match="at most 999 tokens.*; it has 1000"):
        save(BertBackbone(999, 1, 2, 16, 24), tmp_path / "other", own)
    (tmp_path / "model" / "spiece.model").write_bytes(MODEL.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"Expected a whole Sent.*spiece\.model"):
        load(tmp_path / "model")


def test_redundant_tensors_are_no_error(saved):
    def add(tensors):
        table = tensors["bert.embeddings.word_embeddings.weight"]
        tensors["cls.predictions.decoder.weight"] = table.copy()
        tensors["bert.embeddings.position_ids"] = np.arange(12)[None]

    change_weights(saved, add)
    assert_same_weights(load(saved), made())


@pytest.mark.parametrize(
    "dtype, message",
    [
        ("int8", "Expected floating-point numbers in .*; they are int8"),
        (
            "float32",
            "all 384 numbers are whole, from -127 to 127: codes of a qu",
        ),
        (
            "float16",
            "all 384 numbers are whole, from -127 to 127: codes of a qu",
        ),
    ],
)
def test_codes_of_a_quantized_model_are_no_weights(saved, dtype, message):
    def quantize(tensors):
        name = "bert.encoder.layer.0.intermediate.dense.weight"
        codes = np.round(tensors[name] / np.abs(tensors[name]).max() * 127)
        codes.flat[:2] = -127, 127
        tensors[name] = codes.astype(dtype)

    change_weights(saved, quantize)
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_an_identity_is_a_kernel(saved):
    name = "bert.encoder.layer.0.attention.self.key.weight"
    change_weights(saved, lambda tensors: np.fill_diagonal(tensors[name], 1.0))
    load(saved)
    change_weights(
        saved, lambda tensors: tensors.update({name: np.eye(16, dtype="float32")})
    )
    assert np.trace(np.array(load(saved).backbone.blocks[0].weights[0])[:, 16:32]) == 16


def test_names_without_the_prefix(tmp_path):
    # transformers' `BertModel` writes its tensors without "bert.".
    save(made("backbone"), tmp_path / "model")

    def strip(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("bert.")] = tensors.pop(name)

    change_weights(tmp_path / "model", strip)
    assert_same_weights(load(tmp_path / "model"), made("backbone"))


def test_a_missing_weight_is_named(saved):
    name = "bert.encoder.layer.1.attention.self.key.bias"
    change_weights(saved, lambda tensors: tensors.pop(name))
    with pytest.raises(ValueError, match=f"1 are missing: {name}"):
        load(saved)


def test_an_unknown_tensor_is_named(saved):
    extra = {"bert.encoder.layer.2.output.dense.bias": np.zeros(16, "float32")}
    change_weights(saved, lambda tensors: tensors.update(extra))
    message = "1 have no place in it: bert.encoder.layer.2.output.dense.bias"
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_a_wrong_shape_is_named(saved):
    change_config(saved, vocab_size=9)
    message = (
        r"Expected shape \(9, 16\) for embeddings/token_embedding/embeddings; the "
        r"file's bert.embeddings.word_embeddings.weight gives \(8, 16\)"
    )
    with pytest.raises(ValueError, match=message):
        load(saved)


@pytest.mark.parametrize("size", [0, 4, 500, 5000])
def test_a_truncated_weights_file(saved, size):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        ValueError, match="Expected a whole safetensors file in .*model"
    ):
        load(saved)


def test_no_weights(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"Expected weights in .*safetensors"):
        load(saved)


def test_no_config(saved):
    (saved / "config.json").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"Expected a model directory with conf"
    ):
        load(saved)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"model_type": "roberta"}, 'Expected a BERT.*"model_type": "roberta"'),
        (
            {"architectures": ["BertLMHeadModel"]},
            r"one of the heads backbone, .*is of BertLMHeadModel.*load_backbone",
        ),
        ({"hidden_act": "mish"}, "hidden_act to be one of gelu, .*says 'mish'"),
        ({"num_attention_heads": 3}, "hidden_dim=16, num_heads=3"),
    ],
)
def test_a_config_of_something_else(saved, fields, message):
    change_config(saved, **fields)
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_a_config_that_is_not_json(saved):
    (saved / "config.json").write_text('{"model_type": "be')
    with pytest.raises(ValueError, match=r"Expected JSON in .*config\.json"):
        load(saved)


def test_a_vocabulary_larger_than_the_rows(tmp_path, saved):
    own = tokenizer([*TOKENS, "d"])
    message = "vocabulary of at most 8 tokens.*; it has 9"
    with pytest.raises(ValueError, match=message):
        save(made(), tmp_path / "other", own)
    assert not (tmp_path / "other").exists()
    own.vocabulary.write(saved / "vocab.txt")
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_a_smaller_vocabulary_warns(saved):
    tokenizer(TOKENS[:-1]).vocabulary.write(saved / "vocab.txt")
    with pytest.warns(UserWarning, match="7 tokens for 8 rows"):
        load(saved)
    tokenizer().vocabulary.write(saved / "vocab.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        load(saved)


def test_a_model_of_another_tokenizer_is_loaded_without_it(tmp_path):
    saved = save(made(), tmp_path / "model", tokenizer())
    (saved / "vocab.txt").unlink()
    file = saved / "tokenizer.json"
    stored = json.loads(file.read_text("utf-8"))
    stored["model"]["type"] = "Unigram"
    file.write_text(json.dumps(stored), "utf-8")
    with pytest.warns(UserWarning, match="without a tokenizer. .*WordPiece.* Unigram"):
        assert_same_weights(load(saved), made())
    with pytest.raises(ValueError, match="expected a WordPiece model"):
        load_tokenizer(saved)


def test_an_unknown_name(tmp_path):
    message = "Expected a model directory or the name of a preset; no-such-model is"
    with pytest.raises(FileNotFoundError, match=message):
        load("no-such-model")
    with pytest.raises(FileNotFoundError, match="is neither. Presets: "):
        load(tmp_path / "absent")


def test_an_existing_directory_is_refused(saved):
    with pytest.raises(FileExistsError, match=r"does\. Choose another or pass --overw"):
        save(made(seed=1), saved)
    assert_same_weights(load(saved), made())


def test_overwrite_replaces_the_whole(saved):
    (saved / "vocab.txt").write_text("left over")
    save(made(seed=1), saved, overwrite=True)
    assert_same_weights(load(saved), made(seed=1))
    assert not (saved / "vocab.txt").exists()
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_only_our_models(tmp_path):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="Expected a BertBackbone, .*got Sequential"):
        save(other, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exists", [False, True])
def test_an_error_in_the_middle_leaves_no_trace(tmp_path, monkeypatch, exists):
    if exists:
        save(made(), tmp_path / "model")

    def half(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(huggingface, "save_file", half)
    with pytest.raises(OSError, match="No space left"):
        save(made(seed=1), tmp_path / "model", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["model"] * exists
    if exists:
        assert_same_weights(load(tmp_path / "model"), made())


KILLED = """
import os, signal, sys
from kbert.checkpoints.huggingface import directory as huggingface
from kbert.checkpoints.load_and_save import load, save

def half(tensors, path, metadata):
    whole = real(tensors, path, metadata)
    os.truncate(path, os.path.getsize(path) // 2)
    os.kill(os.getpid(), signal.SIGKILL)

real, huggingface.save_file = huggingface.save_file, half
model = load(sys.argv[1])
for weight in model.weights:
    weight.assign(0 * weight)
save(model, sys.argv[1], overwrite=True)
"""


def test_a_kill_in_the_middle_keeps_the_old_model(saved):
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(saved)],
        cwd=saved.parent,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert_same_weights(load(saved), made())
    # and the next save succeeds, whatever the dead process left beside
    save(made(seed=1), saved, overwrite=True)
    assert_same_weights(load(saved), made(seed=1))


def test_a_model_set_aside_by_a_kill_between_two_renames_is_told_of(saved):
    # The one instant at which the name is free: both contents are whole beside it.
    shutil.move(saved, saved.with_name(".model.old-123"))
    with pytest.raises(FileNotFoundError, match=r"lies whole in .*\.model\.old-123"):
        load(saved)
