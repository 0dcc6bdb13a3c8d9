"""`kbert extract-features`: the lines of google-research/bert, by the shipped model."""

import io
import json

import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load_backbone, load_tokenizer
from kbert.commands.extract_features import feature_lines
from kbert.tasks.feature_extraction import extract_features

PRESET = "kbert_tiny_ko_en"
TEXTS = ["이 영화 정말 좋다", ("배우들의 연기가", "좋았다."), ""]


def test_lines_are_those_of_googles_tool(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("이 영화 정말 좋다\n배우들의 연기가 ||| 좋았다.\n\n", "utf-8")
    lines = [json.loads(json.dumps(line)) for line in feature_lines(PRESET, str(path))]
    expected = extract_features(
        load_backbone(PRESET), load_tokenizer(PRESET), TEXTS, [-1, -2]
    )
    assert [line["linex_index"] for line in lines] == [0, 1, 2]
    for line, row in zip(lines, expected, strict=True):
        assert list(line) == ["linex_index", "features"]
        assert [token["token"] for token in line["features"]] == row["tokens"]
        for place, token in enumerate(line["features"]):
            assert [layer["index"] for layer in token["layers"]] == [-1, -2]
            for i, layer in enumerate(token["layers"]):
                values = row["hidden_states"][i, place]
                assert layer["values"] == [round(float(v), 6) for v in values]


def test_layers_length_and_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("이 영화 정말 좋다\n"))
    (line,) = feature_lines(PRESET, layers=[0, 2], sequence_length=5)
    assert len(line["features"]) == 5
    (row,) = extract_features(
        load_backbone(PRESET), load_tokenizer(PRESET), TEXTS[:1], [0]
    )
    first = line["features"][0]["layers"]
    assert [layer["index"] for layer in first] == [0, 2]
    assert np.allclose(first[0]["values"], row["hidden_states"][0, 0], atol=1e-6)


def test_layers_that_are_not_there(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("never read", "utf-8")
    with pytest.raises(ValueError, match="layers must be from -3 to 2"):
        feature_lines(PRESET, str(file), layers=[-4])
