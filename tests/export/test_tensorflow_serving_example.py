"""The files of examples/08: each does what it says, as far as goes without Docker."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path

import pytest
import uvicorn

from kbert.server.app import create_app
from kbert.server.loaded_model import LoadedModel
from kbert.server.model_store import ModelStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "08_tensorflow_serving"


@pytest.fixture(scope="module")
def saved_models(exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved_models")
    shutil.copytree(exported("classifier").parent, path / "nsmc")
    return path


@pytest.fixture
def rest_server(saved_models):
    app = create_app(ModelStore(saved_models))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_requests(rest_server, saved_models):
    done = subprocess.run(
        ["bash", str(EXAMPLE / "requests.sh"), rest_server, "nsmc"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    status, metadata, rows, columns, pieces = map(json.loads, done.stdout.splitlines())
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert "classify" in metadata["metadata"]["signature_def"]["signature_def"]
    assert [row["label"] for row in rows["predictions"]] == columns["outputs"]["label"]
    model = LoadedModel(saved_models / "nsmc" / "1")
    texts = ["정말 재미있게 봤습니다", "시간이 아깝다"]
    direct = model.call("classify", {"text": texts})
    assert [x.decode() for x in direct["label"]] == columns["outputs"]["label"]
    direct = model.call("tokenize", {"text": ["나는 학교에 갔다!"]})
    assert pieces["outputs"]["num_tokens"] == direct["num_tokens"].tolist()


@pytest.fixture
def grpc_server(saved_models):
    """The protocol's own server around a model, in place of TensorFlow Serving."""
    grpc = pytest.importorskip("grpc")
    import tensorflow as tf

    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    model = LoadedModel(saved_models / "nsmc" / "1")

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "nsmc"
            inputs = {key: tf.make_ndarray(x) for key, x in request.inputs.items()}
            outputs = model.call(request.model_spec.signature_name, inputs)
            response = predict_pb2.PredictResponse()
            for key, value in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", model
    server.stop(None)


def test_grpc_client(grpc_server):
    address, model = grpc_server
    texts = ["영화가 좋다!", "나 봤다"]
    done = subprocess.run(
        [sys.executable, EXAMPLE / "grpc_client.py", *texts, "--server", address],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    direct = model.call("classify", {"text": texts})
    expected = [
        f"{label.decode()} {score:.3f} {text}"
        for label, score, text in zip(direct["label"], direct["score"], texts)
    ]
    assert done.stdout.splitlines() == expected


def test_models_config():
    configs = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    text = (EXAMPLE / "models.config").read_text("utf-8")
    parsed = text_format.Parse(text, configs.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert (model.name, model.base_path) == ("nsmc", "/models/nsmc")
    assert model.model_version_policy.latest.num_versions == 2


def test_what_is_started_is_there_and_is_open_to_this_machine_only():
    text = (EXAMPLE / "docker-compose.yml").read_text("utf-8")
    mentioned = re.findall(r"=/config/(\S+)", text)
    assert sorted(mentioned) == [
        "batching.config",
        "models.config",
        "monitoring.config",
    ]
    assert all((EXAMPLE / name).is_file() for name in mentioned)
    ports = re.findall(r"- (\S+:\d+:\d+)", text)
    assert ports == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
