"""ONNX and LiteRT: the numbers of Keras in the other runtimes, and what lies beside."""

import json
import os
import sys

import numpy as np
import pytest
import small_models
import tensorflow as tf

import kbert
from kbert.commands.export import export_litert, export_onnx
from kbert.export import tensor_model

OUTPUTS = {
    "classifier": ["logits"],
    "regression": ["logits"],
    "tagger": ["logits"],
    "question_answerer": ["start_logits", "end_logits"],
    "pretrained": ["masked_lm", "next_sentence"],
    "multiple_choice": ["logits"],
    "encoder": ["sequence_output", "pooled_output"],
}
ONNX_DOMAINS = {"", "ai.onnx"}


def open_onnx(file):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))


def open_litert(file):
    runner = tf.lite.Interpreter(str(file)).get_signature_runner()
    return lambda inputs: runner(**inputs)


FORMATS = {
    "onnx": (export_onnx, "model.onnx", open_onnx),
    "litert": (export_litert, "model.tflite", open_litert),
}


@pytest.fixture(scope="module", params=FORMATS)
def runtime(request):
    if request.param == "onnx":
        pytest.importorskip("tf2onnx")
    return FORMATS[request.param]


def inputs_of(model, rows, length, seed=0):
    generator = np.random.default_rng(seed)
    backbone = getattr(model, "backbone", model)
    lengths = generator.integers(1, length + 1, (rows, 1))
    inputs = {
        "token_ids": generator.integers(0, backbone.vocabulary_size, (rows, length)),
        "segment_ids": generator.integers(0, 2, (rows, length)),
        "padding_mask": np.arange(length) < lengths,
        "mask_positions": generator.integers(0, length, (rows, 2)),
    }
    names = model.input if isinstance(model.input, dict) else {}
    inputs = {name: inputs[name].astype("int32") for name in names}
    if names and len(model.input["token_ids"].shape) == 3:  # each row and another
        inputs = {name: np.stack([x, x[::-1]], 1) for name, x in inputs.items()}
    return inputs


@pytest.mark.parametrize("kind", OUTPUTS)
def test_equals_keras(runtime, kind, tmp_path):
    export, file_name, open_file = runtime
    directory = small_models.KINDS[kind](tmp_path / kind)
    version = export(str(directory), str(tmp_path / "out"))
    assert version == tmp_path / "out" / kind / "1"
    model = kbert.load(directory, dtype="float32")
    call = open_file(version / file_name)
    for rows, length in ((1, 1), (2, 7), (5, 24)):
        inputs = inputs_of(model, rows, length, seed=length)
        expected = model(inputs, training=False)
        if not isinstance(expected, dict):
            expected = {"logits": expected}
        found = call(inputs)
        assert sorted(found) == sorted(OUTPUTS[kind]) == sorted(expected)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, atol=1e-4)


def test_what_lies_beside(runtime, tmp_path):
    export, file_name, _ = runtime
    directory = small_models.classifier(tmp_path / "nsmc")
    version = export(str(directory), str(tmp_path / "out"), name="films")
    assert sorted(os.listdir(version)) == sorted(
        [
            file_name,
            "config.json",
            "model_card.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ]
    )
    card = json.loads((version / "model_card.json").read_text("utf-8"))
    assert card["name"] == "films"
    assert card["labels"] == list(small_models.LABELS)
    assert card["file"] == file_name
    assert 0 < card["largest_difference"] <= 1e-4
    tensors = card["signatures"]["tensors"]
    assert list(tensors["inputs"]) == ["token_ids", "segment_ids", "padding_mask"]
    assert tensors["outputs"]["logits"]["shape"] == ["B", "C"]
    config = json.loads((version / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "부정", "1": "neutral", "2": "긍정"}
    again = export(str(directory), str(tmp_path / "out"), name="films")
    assert again.name == "2"


def test_an_answer_from_text_without_our_code(tmp_path):
    """tokenizer.json and ONNX Runtime alone: the probabilities of `kbert.answer`."""
    pytest.importorskip("tf2onnx")
    import tokenizers

    directory = small_models.pair_classifier(tmp_path / "nli")
    version = export_onnx(str(directory), str(tmp_path / "out"))
    pairs = [
        ("영화가 좋다!", "The Movie (a b)"),
        ("가 [SEP] 나", "봤다 " * 30),
        ("", "다"),
    ]
    tokenizer = tokenizers.Tokenizer.from_file(str(version / "tokenizer.json"))
    rows = tokenizer.encode_batch(pairs)
    logits = open_onnx(version / "model.onnx")(
        {
            "token_ids": np.array([row.ids for row in rows], "int32"),
            "segment_ids": np.array([row.type_ids for row in rows], "int32"),
            "padding_mask": np.array([row.attention_mask for row in rows], "int32"),
        }
    )["logits"]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    task = kbert.TextClassification(
        small_models.LABELS, ("premise", "hypothesis"), sequence_length=24
    )
    from kbert.tasks.classification.text_examples import TextExample

    answers = kbert.answer(
        kbert.load(directory),
        task,
        kbert.load_tokenizer(directory),
        [TextExample(pair) for pair in pairs],
    )
    for row, answer in zip(shares, answers, strict=True):
        np.testing.assert_allclose(row, list(answer["scores"].values()), atol=1e-4)


def test_only_standard_operators_and_open_axes(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    directory = small_models.pretrained(tmp_path / "bert")
    version = export_onnx(str(directory), str(tmp_path / "out"))
    graph = onnx.load(version / "model.onnx")
    onnx.checker.check_model(graph)
    assert {node.domain for node in graph.graph.node} <= ONNX_DOMAINS
    assert [o.version for o in graph.opset_import if o.domain == ""] == [17]
    for tensor in graph.graph.input:
        axes = tensor.type.tensor_type.shape.dim
        assert [axis.dim_value for axis in axes] == [0, 0], tensor.name


def test_litert_needs_no_select_ops(tmp_path):
    directory = small_models.tagger(tmp_path / "ner")
    version = export_litert(str(directory), str(tmp_path / "out"))
    content = (version / "model.tflite").read_bytes()
    assert b"Flex" not in content


def test_a_runtime_that_computes_otherwise_is_found_out(tmp_path, monkeypatch):
    directory = small_models.classifier(tmp_path / "nsmc")
    monkeypatch.setattr(tensor_model, "BOUND", 1e-12)
    with pytest.raises(ValueError, match="model.tflite within 1e-12 of those of Keras"):
        export_litert(str(directory), str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out" / "nsmc") == []


def test_without_the_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kbert\[onnx\]'"):
        export_onnx("kbert_tiny_ko_en")


def test_a_head_that_was_never_trained_is_refused(tmp_path):
    backbone = small_models.encoder(tmp_path / "encoder")
    with pytest.raises(ValueError, match="Choose one with --name"):
        export_litert(str(backbone), str(tmp_path / "out"), name="../up")
