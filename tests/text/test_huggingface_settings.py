import json
import tempfile
import warnings
from pathlib import Path

import pytest

from kbert.text.added_tokens import AddedToken
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer_files import (
    load_light_tokenizer,
    load_reference_tokenizer,
    load_tokenizer,
    load_vocabulary,
    write_tokenizer,
)

DATA = Path(__file__).parents[1] / "data"
LINES = "[PAD] [UNK] [CLS] [SEP] [MASK] [unused1] hello world Hello World the cat"
TOKENS = f"{LINES} sat < e ##1 > / ##e E e1 h w ##o".split()
SIZE = len(TOKENS)
MARKERS = {"<e1>": SIZE, "</e1>": SIZE + 1}
TEXTS = [
    *("Hello World", "the <e1> cat </e1> sat", "the <E1>cat<e1>", "héllo"),
    *("the [unused1] cat", "[unused1][unused1]", "e1 <e 1", ""),
]
CASED = {"do_lower_case": False}
JAPANESE = {"tokenizer_class": "BertJapaneseTokenizer"}
DECODER = {str(SIZE): {"content": "<e1>", "special": True, "normalized": False}}
# What is said in which file; the name of a file without ".json".
SAID = {
    "nothing at all": {},
    "a length alone": {"tokenizer_config": {"model_max_length": 512}},
    "cased": {"tokenizer_config": CASED},
    "accents kept": {"tokenizer_config": {"strip_accents": False}},
    "markers, before 2023": {"tokenizer_config": CASED, "added_tokens": MARKERS},
    "markers in lower case": {"added_tokens": MARKERS},
    "special markers, before 2023": {
        "tokenizer_config": CASED,
        "added_tokens": MARKERS,
        "special_tokens_map": {"additional_special_tokens": ["<e1>", "</e1>"]},
    },
    "[unused1] in the map": {
        "special_tokens_map": {"additional_special_tokens": ["[unused1]"]}
    },
    "[unused1] in the settings": {
        "tokenizer_config": {"additional_special_tokens": ["[unused1]"]}
    },
    "[unused1], as transformers 5 says it": {
        "tokenizer_config": CASED | {"extra_special_tokens": ["[unused1]"]}
    },
    "tokens by names of their own": {
        "tokenizer_config": {"extra_special_tokens": {"entity": "[unused1]"}}
    },
    "a token of another role": {"tokenizer_config": {"bos_token": "[unused1]"}},
    "the decoder, which replaces the map": {
        "tokenizer_config": {"added_tokens_decoder": DECODER},
        "special_tokens_map": {"additional_special_tokens": ["[unused1]"]},
    },
    "new special tokens without ids": {
        "tokenizer_config": {"additional_special_tokens": ["<e1>", "</e1>"]}
    },
    "single words": {
        "tokenizer_config": CASED
        | {
            "added_tokens_decoder": {
                "20": {"content": "e1", "single_word": True, "normalized": True}
            }
        }
    },
    "other names": {"tokenizer_config": {"tokenizer_class": "ElectraTokenizerFast"}},
}


# name -> transformers' ids of TEXTS; `python tests/text/test_huggingface_settings.py`
# prints it anew.
GOLDEN = json.loads((DATA / "huggingface_ids.json").read_text("utf-8"))


def directory_of(path, said, vocab_size=None):
    path.mkdir(exist_ok=True)
    (path / "vocab.txt").write_text("\n".join(TOKENS) + "\n", "utf-8")
    config = {"model_type": "bert", "vocab_size": vocab_size or SIZE + 2}
    (path / "config.json").write_text(json.dumps(config))
    for name, stored in said.items():
        (path / f"{name}.json").write_text(json.dumps(stored))
    return path


def auto_ids(path):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    return tokenizer(TEXTS, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", SAID)
def test_golden_ids_are_those_of_transformers(tmp_path, name):
    directory = directory_of(tmp_path / "theirs", SAID[name])
    assert auto_ids(directory) == GOLDEN[name]
    # What kbert saves is the same to it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = load_reference_tokenizer(directory)
    again = directory_of(tmp_path / "ours", {})
    write_tokenizer(tokenizer, again)
    assert auto_ids(again) == GOLDEN[name]
    # What transformers 5 saves has no vocab.txt.
    from transformers import AutoTokenizer

    bare = tmp_path / "bare"
    AutoTokenizer.from_pretrained(directory).save_pretrained(bare)
    assert not (bare / "vocab.txt").exists()
    tokenizer = load_reference_tokenizer(bare)
    assert tokenizer(TEXTS) == GOLDEN[name]
    assert tokenizer.compatibility == "huggingface"
    assert load_vocabulary(bare) == tokenizer.vocabulary


@pytest.mark.filterwarnings("ignore:.*does not say do_lower_case")
@pytest.mark.parametrize("name", SAID)
def test_golden_ids(tmp_path, name):
    directory = directory_of(tmp_path / "theirs", SAID[name])
    tokenizer = load_reference_tokenizer(directory)
    assert tokenizer(TEXTS) == GOLDEN[name]
    again = directory_of(tmp_path / "ours", {})
    write_tokenizer(tokenizer, again)
    assert load_reference_tokenizer(again).get_config() == tokenizer.get_config()
    (again / "vocab.txt").unlink()
    assert load_reference_tokenizer(again)(TEXTS) == GOLDEN[name]


def test_in_the_graph(tmp_path):
    said = {"added_tokens": MARKERS, "tokenizer_config": CASED}
    directory = directory_of(tmp_path, said)
    tokenizer = load_tokenizer(directory)
    assert tokenizer(TEXTS).to_list() == load_reference_tokenizer(directory)(TEXTS)
    assert tokenizer(["the <e1>cat"]).to_list() == [[10, SIZE, 11]]


def test_the_default_is_said_where_it_cannot_be_right(tmp_path):
    directory = directory_of(tmp_path, {})
    with pytest.warns(UserWarning, match="3 tokens with capitals.*'E'.*_case.: false"):
        assert load_reference_tokenizer(directory)(["Hello"]) == [[6]]
    syllables = [*TOKENS[:5], "hello", *"가나다라마바사"]
    (directory / "vocab.txt").write_text("\n".join(syllables), "utf-8")
    with pytest.warns(UserWarning, match="7 with accents or Hangul syllables"):
        load_reference_tokenizer(directory)
    (directory / "tokenizer_config.json").write_text('{"strip_accents": false}')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_reference_tokenizer(directory)(["Hello 가"]) == [[5, 6]]


def test_special_markers_are_found_as_typed(tmp_path):
    # As in transformers 4; 5 takes these two for normalized, and finds "<E1>" too.
    said = SAID["special markers, before 2023"] | {"tokenizer_config": {}}
    directory = directory_of(tmp_path, said)
    with pytest.warns(UserWarning, match="does not say do_lower_case"):
        tokenizer = load_reference_tokenizer(directory)
    assert tokenizer(["<e1>", "<E1>"]) == [[SIZE], [13, 20, 16]]
    assert tokenizer.vocabulary.special_ids[-2:] == (SIZE, SIZE + 1)


def test_tokens_with_flags_in_the_map(tmp_path):
    # transformers 5 cannot read what transformers 4 wrote so.
    extra = [{"content": "[unused1]", "lstrip": False, "normalized": False}]
    said = {"special_tokens_map": {"additional_special_tokens": extra}}
    directory = directory_of(tmp_path, said | {"tokenizer_config": CASED})
    tokenizer = load_reference_tokenizer(directory)
    assert tokenizer(["the [unused1]"]) == [[10, 5]]
    assert tokenizer.detokenize([10, 5]) == "the"  # a special one is no text


def test_ids_with_gaps_and_ids_that_are_taken(tmp_path):
    directory = directory_of(
        tmp_path, {"tokenizer_config": CASED, "added_tokens": {"<e1>": SIZE + 2}}
    )
    tokenizer = load_reference_tokenizer(directory)
    assert tokenizer(["<e1>"]) == [[SIZE + 2]]
    assert tokenizer.vocabulary.tokens[SIZE:] == (
        f"[blank {SIZE}]",
        f"[blank {SIZE + 1}]",
        "<e1>",
    )
    for added, message in (
        ({"<e1>": 6}, "says 6, which is 'hello' in .*vocab.txt"),
        ({"hello": 9}, "added token 'hello'; .*vocab.txt has it as 6.*says 9"),
        ({"<e1>": "24"}, "an id for the added token '<e1>' .*vocab.txt; they say '24'"),
        ({"<e1>": -1}, "they say -1"),
    ):
        directory_of(tmp_path, {"added_tokens": added})
        with pytest.raises(ValueError, match=message):
            load_vocabulary(directory)


def test_a_special_token_without_a_row_is_text(tmp_path):
    said = {"tokenizer_config": CASED | {"additional_special_tokens": ["<e1>"]}}
    directory = directory_of(tmp_path, said, vocab_size=SIZE)
    with pytest.warns(UserWarning, match="'<e1>' is not in it.*24 rows.*it is text"):
        tokenizer = load_reference_tokenizer(directory)
    assert tokenizer.tokenize("<e1>") == ["<", "e1", ">"]


@pytest.mark.parametrize(
    "file, said, named",
    [
        (
            "tokenizer_config",
            {
                "tokenizer_class": "BertJapaneseTokenizer",
                "word_tokenizer_type": "mecab",
            },
            r"BertJapaneseTokenizer \(words by mecab, pieces by wordpiece\)",
        ),
        ("tokenizer_config", JAPANESE, "names BertJapaneseTokenizer, which"),
        (
            "tokenizer_config",
            {
                **JAPANESE,
                "word_tokenizer_type": "basic",
                "subword_tokenizer_type": "character",
            },
            "pieces by character",
        ),
        ("config", {"tokenizer_class": "KoBertTokenizer"}, "config.json names KoBert"),
        ("tokenizer_config", {"do_basic_tokenize": False}, "do_basic_tokenize.: false"),
    ],
)
def test_a_foreign_tokenizer_is_named(tmp_path, file, said, named):
    directory = directory_of(tmp_path, {file: said | CASED})
    for load in (load_reference_tokenizer, load_light_tokenizer, load_tokenizer):
        with pytest.raises(ValueError, match=named):
            load(directory)
    assert len(load_vocabulary(directory)) == SIZE  # weights can be loaded


def test_a_japanese_tokenizer_that_is_berts_own(tmp_path):
    said = {**JAPANESE, "word_tokenizer_type": "basic"}
    directory = directory_of(tmp_path, {"tokenizer_config": said | CASED})
    assert load_reference_tokenizer(directory)(["Hello"]) == [[8]]


def test_files_that_differ(tmp_path):
    directory = directory_of(tmp_path, {"tokenizer_config": CASED})
    tokenizer = load_reference_tokenizer(directory)
    write_tokenizer(tokenizer, directory)
    changed = [*TOKENS[:6], "cat", "hello", *TOKENS[8:]]
    changed[11] = "world"
    (directory / "vocab.txt").write_text("\n".join(changed), "utf-8")
    with pytest.warns(UserWarning, match="differ from id 6 on; tokenizer.json is foll"):
        assert load_reference_tokenizer(directory)(["cat"]) == [[11]]
    file = directory / "tokenizer_config.json"
    stored = json.loads(file.read_text("utf-8"))
    del stored["do_lower_case"], stored["compatibility"]
    write_tokenizer(tokenizer, directory)
    file.write_text(json.dumps(stored), "utf-8")
    with pytest.warns(UserWarning, match="json keeps capitals; it is followed, as"):
        assert load_reference_tokenizer(directory)(["Hello"]) == [[8]]
    file.write_text(json.dumps(stored | {"do_lower_case": True}), "utf-8")
    with pytest.warns(UserWarning, match="says otherwise and is followed"):
        assert load_reference_tokenizer(directory)(["Hello"]) == [[6]]


def test_what_is_written(tmp_path):
    directory = directory_of(
        tmp_path, {"tokenizer_config": CASED, "added_tokens": MARKERS}
    )
    tokenizer = load_reference_tokenizer(directory)
    write_tokenizer(tokenizer, directory)
    stored = json.loads((directory / "tokenizer_config.json").read_text("utf-8"))
    decoder = stored["added_tokens_decoder"]
    assert list(decoder) == ["0", "1", "2", "3", "4", "24", "25"]
    assert decoder["24"] == {
        "content": "<e1>",
        "lstrip": False,
        "normalized": True,
        "rstrip": False,
        "single_word": False,
        "special": False,
    }
    assert (directory / "vocab.txt").read_text("utf-8").split() == TOKENS
    assert tokenizer.vocabulary.added_tokens[0] == AddedToken(
        "<e1>", normalized=True, is_piece=False
    )
    plain = tmp_path / "plain"
    plain.mkdir()
    write_tokenizer(ReferenceTokenizer(TOKENS), plain)
    assert "added_tokens_decoder" not in (plain / "tokenizer_config.json").read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        found = {
            name: auto_ids(directory_of(Path(directory, str(i)), said))
            for i, (name, said) in enumerate(SAID.items())
        }
    rows = (f" {json.dumps(name)}: {json.dumps(ids)}" for name, ids in found.items())
    print("{", ",\n".join(rows), "}", sep="\n")
