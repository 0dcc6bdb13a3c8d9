"""A model of another kind is told before anything is loaded."""

import subprocess
import sys

import pytest

from kbert.commands.fine_tuned import fine_tuned_path


def test_what_says_that_it_is_one_or_says_nothing(tmp_path):
    assert fine_tuned_path(tmp_path) == tmp_path
    file = tmp_path / "config.json"
    tagger = '{"model_type": "bert", "architectures": ["BertForTokenClassification"]}'
    for text in ('{"class_name": "BertTagger"}', tagger):
        file.write_text(text)
        assert fine_tuned_path(str(tmp_path)) == tmp_path


def test_other_models(tmp_path):
    with pytest.raises(ValueError, match="this one holds a BertForPreTraining. Make"):
        fine_tuned_path("kbert_tiny_ko_en")
    with pytest.raises(FileNotFoundError, match="nope is neither"):
        fine_tuned_path(tmp_path / "nope")
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="Expected a JSON object in .*config.json"):
        fine_tuned_path(tmp_path)


def test_no_framework_is_started():
    code = (
        "import sys; from kbert.cli import main\n"
        "assert main(['predict', 'kbert_tiny_ko_en']) == 1\n"
        "assert not {'tensorflow', 'keras'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
