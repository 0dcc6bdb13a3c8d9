import os
import pathlib
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tokenizers

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


@pytest.mark.parametrize("options", OPTIONS)
def test_huggingface_ids_equal_the_rust_library(options):
    letters = dict.fromkeys("".join(AWKWARD) + "".join(AWKWARD).lower())
    extra = [piece for c in letters for piece in (c, f"##{c}") if not c.isspace()]
    base = Vocabulary.read(DATA / "text_vocabulary.txt").tokens
    tokens = list(dict.fromkeys([*base, *extra]))
    model = tokenizers.models.WordPiece(
        {token: i for i, token in enumerate(tokens)},
        unk_token="[UNK]",
        max_input_chars_per_word=options.get("max_characters_per_word", 100),
    )
    rust = tokenizers.Tokenizer(model)
    rust.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=options.get("lowercase", False),
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=options.get("split_on_cjk", True),
    )
    rust.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    lines = [*AWKWARD, *sample_lines(), *random_lines()]
    expected = [encoding.ids for encoding in rust.encode_batch(lines)]
    options = {**options, "compatibility": "huggingface"}
    assert BertTokenizer(tokens, **options)(lines).to_list() == expected
    assert ReferenceTokenizer(tokens, **options)(lines) == expected


def test_compatibility_matters_where_it_should():
    tokens = [*SPECIAL, "a", "##b", "b", "ας", "ασ"]
    text = ["a\ue000b \u08e2a ΑΣ " + "a" * 101]
    google = BertTokenizer(tokens, lowercase=True)
    rust = BertTokenizer(tokens, lowercase=True, compatibility="huggingface")
    # U+E000 is private; U+08E2 a control that Unicode 9 brought; "aaa…" is cut or not.
    assert google(text).to_list() == [[1, 5, 8, 1]]
    assert rust(text).to_list() == [[5, 6, 1, 9, 1]]


def test_bytes_that_are_not_utf8_are_replaced(korean):
    bad = [b"1\xe3\x81 2\xff3", b"\xed\xa0\x80 1"]
    replaced = [data.decode("utf-8", "replace") for data in bad]
    reference = ReferenceTokenizer(korean.vocabulary)
    # As the reference does, which then deletes U+FFFD: it joins what was around it.
    assert reference(replaced) == reference(["1 23", " 1"])
    assert korean(bad).to_list() == reference(replaced)
    ids, starts, limits = korean.tokenize_with_offsets(bad)
    located = [reference.tokenize_with_offsets(text) for text in replaced]
    assert located == [
        list(zip(*row))
        for row in zip(ids.to_list(), starts.to_list(), limits.to_list())
    ]


def test_ten_megabytes_in_one_string(korean):
    sample = (DATA / "text_sample_ko.txt").read_text(encoding="utf-8")
    text = sample * (10_000_000 // len(sample.encode()) + 1)
    word = "가" * 3_400_000
    assert len(text.encode()) > 10_000_000 and len(word.encode()) > 10_000_000
    reference = ReferenceTokenizer(korean.vocabulary)
    assert korean([text, word, ""]).to_list() == reference([text, word, ""])
    ids, starts, limits = korean.tokenize_with_offsets([word])
    assert (ids.to_list(), starts.to_list(), limits.to_list()) == (
        [[1]],
        [[0]],
        [[len(word)]],
    )


def test_only_deleted_characters(korean):
    texts = ["\x00\x01\u200b\ufffd", "\u00ad", ""]
    assert korean(texts).to_list() == [[], [], []]
    for part in korean.tokenize_with_offsets(texts):
        assert part.to_list() == [[], [], []]


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


@pytest.mark.parametrize(
    "locale", ["tr_TR.UTF-8", pytest.param("lt_LT.UTF-8", marks=pytest.mark.slow)]
)
def test_locales_with_their_own_letters_change_nothing(locale):
    code = (
        "from kbert.text.tokenizer import BertTokenizer\n"
        f"t = BertTokenizer({[*SPECIAL, 'i', 'ı', '##̇']}, True, False)\n"
        "print(t(['I', 'İ', 'ı', 'Ì']).to_list())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=DATA.parents[1],
        env={**os.environ, "LC_ALL": locale, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[[5], [5, 7], [6], [1]]"


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


def located(tokenizer, lines, **options):
    """(id, start, limit) of each token of each line."""
    ids, starts, limits = tokenizer.tokenize_with_offsets(lines, **options)
    assert ids.dtype == starts.dtype == limits.dtype == tf.int32
    rows = zip(ids.to_list(), starts.to_list(), limits.to_list(), strict=True)
    return [list(zip(*row, strict=True)) for row in rows]


def test_offsets_of_an_example():
    small = BertTokenizer(SMALL, lowercase=True)
    assert located(small, ["Embedding !", "", "\u200bÉ xx"]) == [
        [(5, 0, 2), (6, 2, 5), (7, 5, 9), (8, 10, 11)],
        [],
        [(1, 1, 2), (1, 3, 5)],
    ]
    text = "é가 EMbed"
    assert located(small, [text], unit="bytes") == [[(1, 0, 5), (5, 6, 8), (6, 8, 11)]]
    assert text.encode()[6:8] == b"EM"
    # NFD takes "각" apart: the syllable belongs to its first piece.
    jamo = BertTokenizer([*SPECIAL, "ᄀ", "##ᅡᆨ", "##ᄂ", "##ᅡ"], lowercase=True)
    assert located(jamo, ["각나"]) == [[(5, 0, 1), (6, 1, 1), (7, 1, 2), (8, 2, 2)]]


@pytest.mark.parametrize("options", [*OPTIONS, {"compatibility": "huggingface"}])
def test_offsets_equal_the_reference_and_keep_their_promises(options):
    vocabulary = Vocabulary.read(DATA / "text_vocabulary.txt")
    graph = BertTokenizer(vocabulary, **options)
    reference = ReferenceTokenizer(vocabulary, **options)
    lines = [*AWKWARD, *sample_lines(), *random_lines()]
    found = located(graph, lines)
    assert [[id for id, *_ in row] for row in found] == graph(lines).to_list()
    assert found == [reference.tokenize_with_offsets(line) for line in lines]
    in_bytes = located(graph, lines, unit="bytes")
    for line, row, bytes_row in zip(lines, found, in_bytes, strict=True):
        end = 0
        for (id, start, limit), (_, first, last) in zip(row, bytes_row, strict=True):
            assert end <= start <= limit <= len(line)
            end = limit
            piece = line[start:limit]
            assert line.encode()[first:last] == piece.encode()
            token = vocabulary.tokens[id]
            # A slice holds what its token was made of. Sigmas look at neighbours, and
            # the jamo of one syllable may be spread over tokens.
            if id == vocabulary.unknown_id or {*piece} & {*"Σ"}:
                continue
            if options.get("strip_accents", options.get("lowercase")):
                continue
            assert "".join(reference.words(piece)) == token.removeprefix("##")


def test_special_tokens_in_text(korean):
    asked = BertTokenizer(korean.vocabulary, special_tokens_in_text=True)
    reference = ReferenceTokenizer(korean.vocabulary, special_tokens_in_text=True)
    texts = [
        "나는 [MASK]에 가서",
        "나는[MASK][MASK]에",
        "[SEP]",
        "[mask] [MASK",
        "\x01[CLS]\x06",
        *AWKWARD,
        *(line + "[MASK]" + line[:5] for line in sample_lines()[:100]),
    ]
    ids = asked(texts).to_list()
    assert ids == reference(texts)
    assert ids[0] == [
        *korean(["나는"]).to_list()[0],
        4,
        *korean(["에 가서"]).to_list()[0],
    ]
    assert ids[1].count(4) == 2 and ids[2] == [3] and 4 not in ids[3]
    assert ids[4] == [2]
    assert located(asked, texts) == [
        reference.tokenize_with_offsets(text) for text in texts
    ]
    assert (4, 3, 9) in located(asked, texts)[0] and "나는 [MASK]"[3:9] == "[MASK]"
    mask_alone = ["[MASK]"]
    for kind in (BertTokenizer, ReferenceTokenizer):
        tokenizer = kind(korean.vocabulary, special_tokens_in_text=mask_alone)
        (ids,) = [list(row) for row in tokenizer(["[MASK][SEP]"])]
        assert ids[0] == 4 and 3 not in ids
        with pytest.raises(ValueError, match=r"a list of special tokens.*'\[CLR\]'"):
            kind(korean.vocabulary, special_tokens_in_text=["[CLR]"])
    # Off by default: what a user types is text.
    assert not set(range(5)) - {1} & set(korean(["[SEP][MASK] [CLS]"]).to_list()[0])


def test_served_offsets_and_no_python_in_the_graph(tmp_path):
    tokenizer = BertTokenizer(
        DATA / "bert-base-uncased.txt", lowercase=True, special_tokens_in_text=True
    )
    lines = [*AWKWARD, *sample_lines()[:50], *random_lines()[:50]]

    def serve(strings):
        parts = tokenizer.tokenize_with_offsets(strings)
        return [part.to_tensor(-1) for part in parts]

    module = tf.Module()
    module.tokenizer = tokenizer
    module.serve = tf.function(
        serve, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")
    for got, expected in zip(loaded.serve(tf.constant(lines)), serve(lines)):
        np.testing.assert_array_equal(got, expected)
    graph = module.serve.get_concrete_function().graph.as_graph_def()
    nodes = [node.op for node in graph.node]
    nodes += [
        node.op for function in graph.library.function for node in function.node_def
    ]
    assert "FastBertNormalize" in nodes
    assert not [op for op in nodes if "Py" in op]


def test_config_round_trip(korean):
    arguments = {
        "lowercase": True,
        "strip_accents": False,
        "split_on_cjk": False,
        "max_characters_per_word": 50,
        "compatibility": "huggingface",
        "special_tokens_in_text": True,
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
    with pytest.raises(ValueError, match=r"got the shape \(1, None\)"):
        korean(tf.ragged.constant([["a", "b"]]))
    with pytest.raises(ValueError, match="must be at least 1; got 0"):
        BertTokenizer(SMALL, max_characters_per_word=0)
    with pytest.raises(ValueError, match="\"huggingface\"; got 'rust'"):
        BertTokenizer(SMALL, compatibility="rust")
    with pytest.raises(ValueError, match='"characters" or "bytes"; got \'words\''):
        korean.tokenize_with_offsets(["a"], unit="words")
