import os
import pathlib
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary import Vocabulary

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, "em", "##bed", "##ding", "!"]
AWKWARD = [
    "",
    "  ",
    "Don't  stop",
    "a\u00a0b\u3000c\u2028d\u2029e\tf\r\ng",
    "a\x01b\ufffdc\u200bd\u00ade\x85f\x0bg",
    "漢字かな한글\U0002b820x\U0002ceaf",
    "[SEP] [MASK]sep[CLS][UNK]",
    "$1^2`3~ «a»、b€ <b> ##a #",
    "ΟΔΟΣ ΟΔΟΣ字 ΑΣ.Β ΑΣ'Α Σ",
    "ß ﬁ ① İ ÀÉÎ e\u0301 \u0301 Å",
    "a" * 200 + " " + "a" * 201 + ",b",
    "가" * 200 + " " + "가" * 201 + ",b",
    "字" * 300,
]
OPTIONS = [
    {},
    {"lowercase": True},
    {"lowercase": True, "strip_accents": False},
    {"strip_accents": True, "max_characters_per_word": 3},
    {"split_on_cjk": False},
]


def sample_lines():
    lines = []
    for name in ("text_sample_ko.txt", "text_sample_en.txt"):
        lines += (DATA / name).read_text(encoding="utf-8").split("\n")
    return lines


def random_lines():
    """Lines of characters of every plane; unassigned ones and surrogates left out."""
    draw = random.Random(0)
    ranges = [(1, 0x250), (0x250, 0x2600), (0x3000, 0xD7A4), (0xE000, 0x2FA20)]
    known = "abAB .,[]#한글字\u00a0\u0301\u3000Σσİ"
    return [
        "".join(
            draw.choice(known)
            if draw.random() < 0.6
            else chr(draw.randrange(*draw.choice(ranges)))
            for _ in range(30)
        )
        for _ in range(1000)
    ]


@pytest.fixture(scope="module")
def korean():
    return BertTokenizer(DATA / "text_vocabulary.txt")


def test_golden_ids():
    uncased = BertTokenizer(DATA / "bert-base-uncased.txt", lowercase=True)
    ids = uncased(["Here embeddings", "[SEP]", "zzz\u2603"])
    assert isinstance(ids, tf.RaggedTensor) and ids.dtype == tf.int32
    assert ids.to_list() == [[2182, 7861, 8270, 4667, 2015], [1031, 19802, 1033], [100]]
    small = BertTokenizer(SMALL, lowercase=True)
    assert small(["Embedding!", "xx", ""]).to_list() == [[5, 6, 7, 8], [1], []]


@pytest.mark.parametrize("options", OPTIONS)
def test_ids_equal_the_reference(options):
    vocabulary = Vocabulary.read(DATA / "text_vocabulary.txt")
    # Single characters make most words of the awkward lines known.
    letters = dict.fromkeys("".join(AWKWARD) + "".join(AWKWARD).lower())
    extra = [piece for c in letters for piece in (c, f"##{c}") if not c.isspace()]
    tokens = dict.fromkeys([*vocabulary.tokens, *extra])
    lines = [*AWKWARD, *sample_lines(), *random_lines()]
    expected = ReferenceTokenizer(list(tokens), **options)(lines)
    got = BertTokenizer(list(tokens), **options)(lines).to_list()
    for line, ours, reference in zip(lines, got, expected, strict=True):
        assert ours == reference, ascii(line)


def test_bytes_that_are_not_utf8_are_dropped(korean):
    bad = [b"1\xe3\x81 2\xff3", b"\xed\xa0\x80 1"]
    expected = ReferenceTokenizer(korean.vocabulary)(["1 23", " 1"])
    assert korean(bad).to_list() == expected


def test_eager_equals_tf_data_equals_saved_model(korean, tmp_path):
    lines = [*AWKWARD, *sample_lines()[:100]]
    expected = korean(lines).to_list()
    data = tf.data.Dataset.from_tensor_slices(lines).batch(7).map(korean)
    assert [row for batch in data for row in batch.to_list()] == expected

    module = tf.Module()
    module.tokenizer = korean
    module.serve = tf.function(
        lambda strings: korean(strings).to_tensor(-1),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, tmp_path / "model")
    served = tf.saved_model.load(tmp_path / "model").serve(tf.constant(lines))
    np.testing.assert_array_equal(served, korean(lines).to_tensor(-1))


def test_a_turkish_locale_changes_nothing():
    code = (
        "from kbert.text.tokenizer import BertTokenizer\n"
        f"t = BertTokenizer({[*SPECIAL, 'i', 'ı', '##̇']}, True, False)\n"
        "print(t(['I', 'İ', 'ı']).to_list())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=DATA.parents[1],
        env={**os.environ, "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[[5], [5, 7], [6]]"


def test_kinds_of_input_agree(korean):
    lines = ["안녕하세요", "hello"]
    expected = korean(lines).to_list()
    for value in (np.array(lines, dtype=object), np.array(lines), tf.constant(lines)):
        assert korean(value).to_list() == expected
    assert korean([]).to_list() == []


def test_pieces_and_back(korean):
    lines = ["대한민국 국민", "must be two"]
    pieces = korean.tokenize(lines).to_list()
    reference = ReferenceTokenizer(korean.vocabulary)
    assert [[p.decode() for p in row] for row in pieces] == [
        reference.tokenize(line) for line in lines
    ]
    ids = korean(lines)
    texts = [text.decode() for text in korean.detokenize(ids).numpy()]
    assert texts == [reference.detokenize(row) for row in ids.to_list()] == lines
    small = BertTokenizer(SMALL)
    padded = np.array([[2, 5, 6, 7, 8, 3, 0], [2, 3, 0, 0, 0, 0, 0]])
    assert small.detokenize(padded).numpy().tolist() == [b"embedding !", b""]


def test_config_round_trip(korean):
    arguments = {
        "lowercase": True,
        "strip_accents": False,
        "split_on_cjk": False,
        "max_characters_per_word": 50,
    }
    tokenizer = BertTokenizer(korean.vocabulary, **arguments, name="text")
    config = tokenizer.get_config()
    assert config["vocabulary"] == list(korean.vocabulary.tokens)
    data = keras.saving.serialize_keras_object(tokenizer)
    again = keras.saving.deserialize_keras_object(data)
    assert again.name == "text" and again.vocabulary == korean.vocabulary
    assert {name: getattr(again, name) for name in arguments} == arguments
    assert again.get_config() == config


def test_config_keeps_special_tokens_spelled_otherwise():
    vocabulary = Vocabulary(
        ["<s>", "<p>", "</s>", "<u>", "<m>", "a"], "<p>", "<u>", "<s>", "</s>", "<m>"
    )
    tokenizer = BertTokenizer(vocabulary)
    again = BertTokenizer.from_config(tokenizer.get_config())
    assert again.vocabulary == vocabulary
    assert again(["a b <s>"]).to_list() == [[5, 3, 3, 3, 3]]


def test_errors(korean):
    for value in ("a text", tf.constant("a text")):
        with pytest.raises(ValueError, match=r"the shape \(B,\).*got the shape \(\)"):
            korean(value)
    with pytest.raises(ValueError, match=r"got the shape \(1, 2\)"):
        korean([["a", "b"]])
    for length in (0, 1000):
        with pytest.raises(ValueError, match=f"from 1 to 999; got {length}"):
            BertTokenizer(SMALL, max_characters_per_word=length)
