"""The real command, over real connections: answers, errors, bursts, swaps, the end."""

import concurrent.futures
import json
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
import small_models

from kbert.server.loaded_model import LoadedModel

TEXTS = ["영화 좋다", "", "the movie 가나 " * 9, "가 나 다 (영화)", "좋다!"]


@pytest.fixture(scope="module")
def saved_models(exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("serve")
    for name in ("classifier", "tagger"):
        shutil.copytree(exported(name).parent, path / name)
    return path


@pytest.fixture(scope="module")
def direct(saved_models):
    return LoadedModel(saved_models / "classifier" / "1")


class Server:
    """`kbert serve` in a process of its own, and a client for it."""

    def __init__(self, directory, log, *options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = log
        command = [sys.executable, "-m", "kbert", "serve", str(directory)]
        command += ["--port", str(self.port), *options]
        with open(log, "wb") as stream:
            self.process = subprocess.Popen(command, stderr=stream)
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)
        for _ in range(1800):  # 3 minutes: the cores may have other work
            try:
                if self.client.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def predict(self, body, name="classifier"):
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(f"/v1/models/{name}:predict", content=content)

    def stop(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def requests(self):
        """The log's lines about requests."""
        lines = [line for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [row for row in map(json.loads, lines) if row["message"] == "request"]


@pytest.fixture(scope="module")
def server(saved_models, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "log"
    options = ["--max-texts", "1000", "--max-text-bytes", "100000"]
    server = Server(saved_models, log, *options)
    yield server
    assert server.stop() == 0


def check(answer, direct, texts):
    """The answer of a server equals the direct call."""
    expected = direct.call("classify", {"text": texts})
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(answer[name], values, atol=1e-5)
        else:
            as_text = [
                v.decode() if isinstance(v, bytes) else v for v in values.ravel()
            ]
            assert np.ravel(answer[name]).tolist() == as_text


def test_answers(server, direct):
    answer = server.predict({"inputs": {"text": TEXTS}})
    assert answer.status_code == 200
    check(answer.json()["outputs"], direct, TEXTS)
    rows = server.predict({"instances": TEXTS}).json()["predictions"]
    check({name: [row[name] for row in rows] for name in rows[0]}, direct, TEXTS)
    version = server.predict({"instances": TEXTS[:1]}, "classifier/versions/1")
    assert version.json()["predictions"][0]["label"] == rows[0]["label"]
    asked = {"signature_name": "tokenize", "inputs": {"text": ["영화를"]}}
    tokens = server.predict(asked).json()["outputs"]
    assert tokens["tokens"] == [["영화", "##를"]]
    entities = server.predict({"instances": TEXTS}, "tagger").json()["predictions"]
    counts = [row["num_entities"] for row in entities]
    assert [len(row["types"]) for row in entities] == [max(counts)] * 5  # filled up
    assert [sum(map(bool, row["types"])) for row in entities] == counts


def test_about_models(server):
    get = server.client.get
    status = get("/v1/models/classifier").json()["model_version_status"]
    assert [row["state"] for row in status] == ["AVAILABLE"]
    metadata = get("/v1/models/classifier/versions/1/metadata").json()
    assert metadata["model_spec"]["version"] == "1"
    models = get("/v1/models").json()["models"]
    assert [model["name"] for model in models] == ["classifier", "tagger"]
    assert models[0]["card"]["labels"] == list(small_models.LABELS)
    assert list(models[0]["signatures"]) == [
        *["classify", "embed", "tokenize", "attention"]
    ]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"instances": []}, 400, "at least one instance"),
        ({"inputs": {"text": []}}, 400, "at least one text"),
        ({"inputs": {"text": [1]}}, 400, "Expected string (B,) for 'text'; got 1"),
        ({"inputs": {"text": "a"}}, 400, "got 0 axes"),
        ({"inputs": {"words": ["a"]}}, 400, "Expected the inputs text"),
        ({"signature_name": "no", "instances": ["a"]}, 400, "Expected a signature"),
        ({"signature_name": 3, "instances": ["a"]}, 400, "Expected a name"),
        (b'{"instances": ["a"', 400, "Expected JSON"),
        (b'{"instances": [NaN]}', 400, "NaN is no JSON"),
        (b"[" * 50_000, 400, "less nesting"),
        (b"", 400, "Expected JSON"),
        ({"instances": ["a"] * 1001}, 413, "at most 1,000 texts"),
        ({"instances": ["가" * 40_000]}, 413, "at most 100,000 bytes; one has 120,000"),
        (b'{"instances": ["' + b"a" * (17 << 20), 413, "at most 16,777,216 bytes"),
    ],
)
def test_what_is_refused(server, body, status, message):
    answer = server.predict(body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/no:predict", 404),
        ("/v1/models/classifier/versions/9:predict", 404),
        ("/v1/models/classifier/labels/stable:predict", 404),
        ("/v1/models/%2e%2e%2fclassifier:predict", 404),
        ("/v1/models/..%2f..%2fetc%2fpasswd:predict", 404),
        ("/v1/models/classifier:classify", 400),
        ("/v1/models/classifier", 400),
        ("/v1/nothing", 404),
    ],
)
def test_addresses_that_are_not_there(server, path, status):
    answer = server.client.post(path, content=b'{"instances": ["a"]}')
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_thousand_texts(server, direct):
    texts = [TEXTS[i % 5] * (i % 7) for i in range(1000)]
    answer = server.predict({"inputs": {"text": texts}})
    check(answer.json()["outputs"], direct, texts)


def test_a_body_that_never_ends_is_not_read_to_its_end(server):
    def body():
        for _ in range(400):
            yield b"a" * (1 << 18)  # 100 MiB

    try:
        answer = server.client.post("/v1/models/classifier:predict", content=body())
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the server closed while we were still sending
    assert server.client.get("/healthz").status_code == 200


def test_who_hangs_up_costs_nobody_else(server, direct):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            body = json.dumps({"instances": ["영화 " * 500] * 1000}).encode()
            head = "POST /v1/models/tagger:predict HTTP/1.1\r\nHost: x\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[: len(body) // 2])
    start = time.perf_counter()
    answer = server.predict({"inputs": {"text": TEXTS}})
    check(answer.json()["outputs"], direct, TEXTS)
    assert time.perf_counter() - start < 20


def test_a_burst_of_64_clients(server, direct):
    def ask(number):
        texts = [TEXTS[(number + i) % 5] for i in range(number % 4 + 1)]
        return texts, server.predict({"inputs": {"text": texts}})

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(256)))
    for texts, answer in answers:
        assert answer.status_code == 200
        check(answer.json()["outputs"], direct, texts)


def test_page_metrics_and_log(server):
    page = server.client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    secret = "비밀스러운영화"
    headers = {"x-request-id": "my-1"}
    body = json.dumps({"instances": [secret]})
    path = "/v1/models/classifier:predict"
    answer = server.client.post(path, content=body, headers=headers)
    assert answer.headers["x-request-id"] == "my-1"
    headers = {"x-request-id": "evil\\n {}"}
    answer = server.client.post(path, content=body, headers=headers)
    assert answer.headers["x-request-id"].isalnum()
    metrics = server.client.get("/metrics").text
    assert 'kbert_model_version_loaded{model="tagger",version="1"} 1.0' in metrics
    assert 'signature="serving_default",status="200"' in metrics
    assert "kbert_waiting_texts 0.0" in metrics
    (row,) = [row for row in server.requests() if row["request_id"] == "my-1"]
    assert (row["status"], row["model"], row["texts"]) == (200, "classifier", 1)
    assert secret not in server.log.read_text()


def test_versions_and_the_end(saved_models, tmp_path):
    """Swapped, deleted and broken under load; SIGTERM loses no request."""
    models = tmp_path / "models"
    shutil.copytree(saved_models / "classifier", models / "classifier")
    server = Server(models, tmp_path / "log", "--poll-seconds", "0.1")
    answers = []

    def ask(count):
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for _ in range(count):
                body = json.dumps({"instances": TEXTS})
                answer = client.post("/v1/models/classifier:predict", content=body)
                answers.append((answer.status_code, answer.json()))

    def version():
        status = server.client.get("/v1/models/classifier").json()
        found = status["model_version_status"]
        return [(v["version"], v["state"]) for v in found if v["state"] != "LOADING"]

    def wait_for(expected):
        for _ in range(1200):
            if version() == expected:
                return
            time.sleep(0.05)
        raise AssertionError(version())

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(ask, 150) for _ in range(4)]
        shutil.copytree(models / "classifier" / "1", models / "classifier" / ".2")
        (models / "classifier" / ".2").rename(models / "classifier" / "2")
        wait_for([("2", "AVAILABLE"), ("1", "END")])
        (models / "classifier" / "3").mkdir()
        (models / "classifier" / "3" / "saved_model.pb").write_bytes(b"garbage")
        wait_for([("3", "END"), ("2", "AVAILABLE"), ("1", "END")])
        shutil.rmtree(models)
        for load in loads:
            load.result()
        assert len(answers) == 600
        first = answers[0][1]["predictions"]
        for status, answer in answers:
            assert status == 200
            for row, expected in zip(answer["predictions"], first, strict=True):
                assert row["label"] == expected["label"]
        answers.clear()
        big = json.dumps({"instances": ["영화 좋다 " * 200] * 1000})
        running = pool.submit(server.predict, big)
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        assert running.result().status_code == 200
    server.client.close()
    assert server.process.wait(timeout=30) == 0


def test_what_cannot_be_served(tmp_path, capfd, monkeypatch):
    from kbert.cli import main

    assert main(["serve", str(tmp_path / "no")]) == 1
    assert "Expected a directory of models" in capfd.readouterr().err
    assert main(["serve", str(tmp_path), "--port", "0"]) == 1
    assert "found no model that can be loaded" in capfd.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", str(tmp_path), "--port", port]) == 1
    assert "Choose another with --port" in capfd.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", str(tmp_path)]) == 1
    assert "pip install 'kbert[serve]'" in capfd.readouterr().err
