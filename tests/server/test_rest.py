"""TensorFlow Serving's JSON, both ways."""

import json

import numpy as np
import pytest

from kbert.server.model_store import VersionStatus
from kbert.server.rest import (
    inputs_of,
    metadata_of,
    read_json,
    response_of,
    status_of,
)
from kbert.signatures import EMBED, FILL_MASK, NEXT_SENTENCE, Signature, Tensor


@pytest.mark.parametrize(
    ("request_", "signature", "inputs"),
    [
        ({"instances": ["가", "b"]}, EMBED, {"text": ["가", "b"]}),
        ({"instances": [{"text": "가"}]}, EMBED, {"text": ["가"]}),
        ({"inputs": ["가"]}, EMBED, {"text": ["가"]}),
        ({"inputs": {"text": ["가"]}}, EMBED, {"text": ["가"]}),
        ({"instances": ["가"]}, FILL_MASK, {"text": ["가"]}),
        (
            {"instances": [{"text": "가", "k": 2}, {"text": "나", "k": 3}]},
            FILL_MASK,
            {"text": ["가", "나"], "k": [2, 3]},
        ),
        ({"inputs": {"text": ["가"], "k": 2}}, FILL_MASK, {"text": ["가"], "k": 2}),
        ({"instances": [{"b64": "6rCA"}]}, EMBED, {"text": ["가".encode()]}),
        ({"inputs": {"text": [{"b64": "YQ=="}]}}, EMBED, {"text": [b"a"]}),
    ],
)
def test_inputs(request_, signature, inputs):
    assert inputs_of(request_, signature) == inputs


@pytest.mark.parametrize(
    ("request_", "signature", "message"),
    [
        ({}, EMBED, 'either "instances" or "inputs"'),
        ({"instances": ["a"], "inputs": ["a"]}, EMBED, "either"),
        ({"instances": []}, EMBED, "a list of at least one instance"),
        ({"instances": "a"}, EMBED, "a list of at least one instance"),
        ({"instances": ["a"]}, NEXT_SENTENCE, "by name, as next_sentence has 2: text"),
        ({"inputs": ["a"]}, NEXT_SENTENCE, "by name, as next_sentence has 2"),
        ({"instances": [{"text": "a"}, "b"]}, EMBED, "instance 1 has others"),
        (
            {"instances": ["b", {"text": "a"}]},
            EMBED,
            "all have names, or all have none",
        ),
        ({"instances": [{"text": "a"}, {"x": "a"}]}, EMBED, "instance 1 has others"),
        ({"instances": [{"b64": "?"}]}, EMBED, "Expected base64 text"),
        ({"instances": [{"b64": 3}]}, EMBED, "Expected base64 text"),
    ],
)
def test_what_does_not_fit(request_, signature, message):
    with pytest.raises(ValueError, match=message):
        inputs_of(request_, signature)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Expected JSON; Expecting value"),
        (b'{"instances": [', "Expected JSON; "),
        (b"[1]", "Expected a JSON object; got a list"),
        (b'"x"', "Expected a JSON object; got a str"),
        (b'{"x": NaN}', "Expected finite numbers; NaN is no JSON"),
        (b'{"x": -Infinity}', "Expected finite numbers; -Infinity"),
        (b"[" * 100_000, "less nesting"),
        (b'{"x": "\xff"}', "Expected JSON in UTF-8"),
    ],
)
def test_what_is_no_request(body, message):
    with pytest.raises(ValueError, match=message):
        read_json(body)


def test_answers_in_both_forms():
    outputs = {
        "embedding": np.array([[0.5, 1], [2, 3]], "float32"),
        "truncated": np.array([False, True]),
    }
    assert json.loads(response_of(outputs, EMBED, in_rows=True)) == {
        "predictions": [
            {"embedding": [0.5, 1.0], "truncated": False},
            {"embedding": [2.0, 3.0], "truncated": True},
        ]
    }
    assert json.loads(response_of(outputs, EMBED, in_rows=False)) == {
        "outputs": {"embedding": [[0.5, 1.0], [2.0, 3.0]], "truncated": [False, True]}
    }


def test_one_output_has_no_name():
    signature = Signature("s", (), (Tensor("raw_bytes", "string", "B", ""),))
    outputs = {"raw_bytes": np.array([b"\xff"], object)}
    rows = json.loads(response_of(outputs, signature, in_rows=True))
    assert rows == {"predictions": [{"b64": "/w=="}]}
    columns = json.loads(response_of(outputs, signature, in_rows=False))
    assert columns == {"outputs": [{"b64": "/w=="}]}


def test_strings_that_are_no_utf8():
    signature = Signature("s", (), (Tensor("text", "string", "B", ""),))
    outputs = {"text": np.array([b"a\xff"], object)}
    answer = json.loads(response_of(outputs, signature, in_rows=True))
    assert answer == {"predictions": ["a\ufffd"]}


def test_numbers_that_json_has_not():
    outputs = {"embedding": np.array([[np.nan]]), "truncated": np.array([False])}
    with pytest.raises(ValueError, match="numbers that are not finite"):
        response_of(outputs, EMBED, in_rows=True)


def test_status_and_metadata():
    found = status_of(
        [VersionStatus(2, "END", "broken"), VersionStatus(1, "AVAILABLE")]
    )
    assert found["model_version_status"] == [
        {
            "version": "2",
            "state": "END",
            "status": {"error_code": "UNKNOWN", "error_message": "broken"},
        },
        {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        },
    ]
    found = metadata_of("m", 3, {"fill_mask": FILL_MASK})
    assert found["model_spec"] == {"name": "m", "signature_name": "", "version": "3"}
    signature = found["metadata"]["signature_def"]["signature_def"]["fill_mask"]
    assert signature["inputs"]["text"]["dtype"] == "DT_STRING"
    assert signature["inputs"]["k"]["tensor_shape"]["unknown_rank"]
    assert len(signature["outputs"]["tokens"]["tensor_shape"]["dim"]) == 3
