import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.tokenizer_files import (
    load_reference_tokenizer,
    load_tokenizer,
    load_vocabulary,
    tokenizer_arguments,
    write_tokenizer,
)
from kbert.text.vocabulary import Vocabulary

MODEL = Path(__file__).parents[1] / "data" / "sentencepiece.model"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "à"]


@pytest.fixture
def directory(tmp_path):
    write_tokenizer(ReferenceTokenizer(TOKENS, lowercase=True), tmp_path, 64)
    return tmp_path


def change(directory, **fields):
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")


def test_wordpiece_round_trip(tmp_path):
    arguments = {
        "lowercase": True,
        "strip_accents": False,
        "split_on_cjk": False,
        "compatibility": "huggingface",
        "max_characters_per_word": 30,
    }
    write_tokenizer(ReferenceTokenizer(TOKENS, **arguments), tmp_path, 64)
    special = dict(zip(("pad", "unk", "cls", "sep", "mask"), TOKENS, strict=False))
    assert json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8")) == {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "strip_accents": False,
        "tokenize_chinese_chars": False,
        "compatibility": "huggingface",
        "max_characters_per_word": 30,
        **{f"{name}_token": token for name, token in special.items()},
        "model_max_length": 64,
    }
    for load, kind in (
        (load_tokenizer, BertTokenizer),
        (load_reference_tokenizer, ReferenceTokenizer),
    ):
        tokenizer = load(tmp_path)
        assert type(tokenizer) is kind and tokenizer.vocabulary.tokens == tuple(TOKENS)
        assert {name: getattr(tokenizer, name) for name in arguments} == arguments
        tokenizer = load(tmp_path, lowercase=False)
        assert not tokenizer.lowercase and tokenizer.compatibility == "huggingface"


def test_what_is_not_set_is_not_written(directory):
    stored = json.loads((directory / "tokenizer_config.json").read_text("utf-8"))
    assert not {"strip_accents", "max_characters_per_word"} & set(stored)


def test_vocab_txt_alone(directory):
    file = directory / "vocab.txt"
    (directory / "tokenizer_config.json").unlink()
    (directory / "tokenizer.json").unlink()
    guessed = {"lowercase": True, "strip_accents": False}  # it has "à", and no capital
    for path in (file, directory):
        with pytest.warns(
            UserWarning, match="does not say.*lower-cased, but keeps its"
        ):
            assert tokenizer_arguments(path) == {
                "vocabulary": Vocabulary(TOKENS),
                **guessed,
            }
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load_reference_tokenizer(path, lowercase=False)(["A"]) == [[1]]
            assert load_vocabulary(file) == Vocabulary(TOKENS)


@pytest.mark.parametrize(
    "tokens, ids",
    [
        (["here", "##s", "the"], [5, 7]),
        (["Here", "here", "##s", "the"], [5, 8]),
        (["가", "##나"], [1, 1]),
    ],
)
def test_a_vocabulary_alone_is_cased_if_it_has_capitals(tmp_path, tokens, ids):
    file = tmp_path / "vocab.txt"
    Vocabulary([*TOKENS[:5], *tokens]).write(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert load_reference_tokenizer(file)(["Here the"]) == [ids]


def test_special_tokens_spelled_otherwise(tmp_path):
    vocabulary = Vocabulary(
        ["a", "<s>", "<p>", "</s>", "<u>", "<m>"], "<p>", "<u>", "<s>", "</s>", "<m>"
    )
    write_tokenizer(ReferenceTokenizer(vocabulary), tmp_path)
    assert load_vocabulary(tmp_path) == vocabulary
    assert load_tokenizer(tmp_path)(["a b"]).to_list() == [[0, 4]]
    change(tmp_path, mask_token={"content": "<m>", "lstrip": True})  # transformers'
    assert load_vocabulary(tmp_path) == vocabulary


def test_sentencepiece_round_trip(tmp_path):
    tokenizer = SentencePieceTokenizer(MODEL)
    write_tokenizer(tokenizer, tmp_path, 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "spiece.model",
        "tokenizer_config.json",
    ]
    assert (tmp_path / "spiece.model").read_bytes() == MODEL.read_bytes()
    again = load_tokenizer(tmp_path, name=tokenizer.name)
    assert again.get_config() == tokenizer.get_config()
    assert load_vocabulary(tmp_path) == load_vocabulary(MODEL) == tokenizer.vocabulary
    assert type(load_tokenizer(MODEL)) is SentencePieceTokenizer
    assert load_tokenizer(tmp_path, special_tokens_in_text=True)(
        ["[SEP]"]
    ).to_list() == [[3]]


@pytest.mark.parametrize("name", ["sentencepiece.model", "tokenizer_78b3.model"])
def test_sentencepiece_with_ids_of_its_own(tmp_path, name):
    # KoBERT's directory: a model without [CLS] among what its ids need, and vocab.txt.
    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*special, *sorted(load_vocabulary(MODEL).tokens[5:])]
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    shutil.copy(MODEL, theirs / name)
    Vocabulary(tokens).write(theirs / "vocab.txt")
    tokenizer = load_tokenizer(theirs)
    assert tokenizer.vocabulary == load_vocabulary(theirs) == Vocabulary(tokens)
    ours = tmp_path / "ours"
    ours.mkdir()
    write_tokenizer(tokenizer, ours)
    assert sorted(path.name for path in ours.iterdir()) == [
        "spiece.model",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    again = load_tokenizer(ours, name=tokenizer.name)
    assert again.get_config() == tokenizer.get_config()
    with pytest.raises(ValueError, match="Expected a WordPiece vocabulary for Ref"):
        load_reference_tokenizer(ours)


def test_reading_settings_needs_no_framework(directory):
    code = (
        "import sys, kbert\n"
        "tokenizer = kbert.load_reference_tokenizer(sys.argv[1])\n"
        "assert tokenizer(['A b']) == [[5, 6]]\n"
        "from kbert.text import tokenizer_files\n"
        "print(len(tokenizer_files.load_vocabulary(sys.argv[2])))\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, directory, MODEL],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1000\n", "")


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"do_lower_case": "yes"}, 'Expected true or false for do_lower_case .*"yes"'),
        ({"do_lower_case": 1}, "true or false for do_lower_case in .*it says 1"),
        ({"max_characters_per_word": 2.5}, "an integer for max_characters_per_word"),
        ({"compatibility": True}, "a string for compatibility in .*says true"),
        ({"pad_token": 3}, "Expected a string for pad_token in .*config.json"),
        ({"pad_token": "<p>"}, "hold its pad_token '<p>'"),
    ],
)
def test_a_field_of_a_wrong_type(directory, fields, message):
    change(directory, **fields)
    with pytest.raises(ValueError, match=message):
        load_reference_tokenizer(directory)


@pytest.mark.parametrize(
    "data, message",
    [
        (
            b'{"do_lower',
            r"Expected JSON in .*tokenizer_config\.json; .*download it again",
        ),
        (b"\xff\xfe", r"Expected JSON in .*tokenizer_config\.json"),
        (b"[]", "Expected a JSON object in .*; it holds a list"),
    ],
)
def test_a_damaged_config(directory, data, message):
    (directory / "tokenizer_config.json").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_tokenizer(directory)


def test_no_vocabulary(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"Expected vocab\.txt, tokenizer\.json or a S"
    ):
        load_tokenizer(tmp_path)
    for name in ("tokenizer_a.model", "tokenizer_b.model"):
        shutil.copy(MODEL, tmp_path / name)
    with pytest.raises(ValueError, match="one SentencePiece model .*_b.model. Keep"):
        load_tokenizer(tmp_path)
