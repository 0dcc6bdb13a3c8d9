import json

import pytest

from kbert.text.foreign_settings import google_settings, kerashub_settings
from kbert.text.tokenizer_files import load_reference_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def google_directory(path, tokens):
    path.mkdir()
    (path / "bert_config.json").write_text("{}", "utf-8")
    if tokens:
        (path / "vocab.txt").write_text("\n".join(tokens), "utf-8")
    return path


def kerashub_directory(path, tokens, file="tokenizer.json", **settings):
    (path / "assets" / "tokenizer").mkdir(parents=True)
    file_of_tokens = path / "assets" / "tokenizer" / "vocabulary.txt"
    file_of_tokens.write_text("\n".join([*SPECIAL, *tokens]), "utf-8")
    stored = {"config": settings}
    if file == "preprocessor.json":
        stored = {"config": {"tokenizer": stored}}
    (path / file).write_text(json.dumps(stored), "utf-8")
    return path


@pytest.mark.parametrize(
    "name, tokens, expected",
    [
        ("uncased_L-12_H-768_A-12", None, True),
        ("cased_L-12_H-768_A-12", None, False),
        ("multi_cased_L-12_H-768_A-12", None, False),
        ("multilingual_L-12_H-768_A-12", None, True),
        ("chinese_L-12_H-768_A-12", None, True),
        ("my-bert", [*SPECIAL, "<S>", "the", "##S"], False),
        ("my-bert", [*SPECIAL, "<S>", "the", "##s", "é"], True),
        ("my-bert", None, None),
    ],
)
def test_google_says_nothing_of_case(tmp_path, name, tokens, expected):
    directory = google_directory(tmp_path / name, tokens)
    settings = {} if expected is None else {"lowercase": expected}
    assert google_settings(directory) == settings
    if tokens:
        assert load_reference_tokenizer(directory).lowercase == expected
        # What is written down rules.
        (directory / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        assert load_reference_tokenizer(directory).lowercase is False


@pytest.mark.parametrize(
    "tokens, stored, lowercase, strips",
    [
        (["cafe"], {"lowercase": True}, True, True),  # as Google's uncased presets
        (["한국"], {"lowercase": True, "strip_accents": False}, True, False),
        (["café"], {"lowercase": True}, True, False),
        (["café"], {"lowercase": True, "strip_accents": True}, True, True),
        (["Cafe"], {"lowercase": False}, False, False),
        (["Cafe"], {}, False, False),
    ],
)
@pytest.mark.parametrize("file", ["tokenizer.json", "preprocessor.json"])
def test_kerashub(tmp_path, tokens, stored, lowercase, strips, file):
    directory = kerashub_directory(tmp_path / "preset", tokens, file, **stored)
    settings = kerashub_settings(directory)
    assert settings["vocabulary"].tokens == (*SPECIAL, *tokens)
    del settings["vocabulary"]
    assert settings == {
        "lowercase": lowercase,
        "strip_accents": strips,
        "split_on_cjk": True,
    }
    tokenizer = load_reference_tokenizer(directory)
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (lowercase, strips)


def test_what_kerashub_can_and_kbert_cannot(tmp_path):
    directory = kerashub_directory(tmp_path / "a", ["a"], suffix_indicator="_")
    with pytest.raises(ValueError, match="Expected suffix_indicator '##'"):
        kerashub_settings(directory)
    (directory / "tokenizer.json").write_text("[]")
    with pytest.raises(ValueError, match="a JSON object in .*; it holds a list"):
        kerashub_settings(directory)
    (directory / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="Expected JSON in .*tokenizer.json"):
        kerashub_settings(directory)
    (directory / "assets" / "tokenizer" / "vocabulary.txt").unlink()
    with pytest.raises(FileNotFoundError, match="Expected a vocabulary in"):
        kerashub_settings(directory)
