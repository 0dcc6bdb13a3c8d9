import json
import pathlib
import random
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.text.preprocessor import BertPreprocessor
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer
from kbert.text.tokenizer_files import load_tokenizer, write_tokenizer
from kbert.text.vocabulary import Vocabulary

DATA = pathlib.Path(__file__).parents[1] / "data"
MODEL = DATA / "sentencepiece.model"
GOLDEN = json.loads((DATA / "sentencepiece.json").read_text("utf-8"))
SPECIAL = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def korean():
    return SentencePieceTokenizer(MODEL)


@pytest.fixture(scope="module")
def own_ids(korean):
    """Ids as KoBERT has them: a list of its own, here with special tokens last."""
    return [*sorted(korean.vocabulary.tokens[5:]), *SPECIAL]


def pieces(tokenizer, text):
    (row,) = tokenizer.tokenize([text]).to_list()
    return [piece.decode() for piece in row]


def sample_lines():
    lines = []
    for name in ("text_sample_ko.txt", "text_sample_en.txt"):
        lines += (DATA / name).read_text(encoding="utf-8").split("\n")
    return lines


def random_lines():
    """Lines of characters of every plane, with what the model normalises in between."""
    draw = random.Random(0)
    ranges = [(0, 0x250), (0x250, 0x2600), (0x3000, 0xD7A4), (0xE000, 0x2FA20)]
    known = "국민이 의 대한  .,[]\t\u3000\u200b㎢ﬁＡ▁\ufffd☃"
    return [
        "".join(
            draw.choice(known)
            if draw.random() < 0.7
            else chr(draw.randrange(*draw.choice(ranges)))
            for _ in range(30)
        )
        for _ in range(1000)
    ]


def test_vocabulary_is_the_pieces(korean):
    vocabulary = korean.vocabulary
    assert vocabulary.tokens[:6] == (*SPECIAL, "▁")
    assert len(vocabulary) == 1000
    assert (vocabulary.unknown_id, vocabulary.pad_id, vocabulary.cls_id) == (0, 1, 2)
    assert (vocabulary.sep_id, vocabulary.mask_id) == (3, 4)


def test_golden_ids(korean):
    ids = korean(GOLDEN["texts"])
    assert isinstance(ids, tf.RaggedTensor) and ids.dtype == tf.int32
    assert ids.to_list() == GOLDEN["ids"]


def test_ids_and_slices_equal_the_library(korean):
    sentencepiece = pytest.importorskip("sentencepiece")
    library = sentencepiece.SentencePieceProcessor(model_file=str(MODEL))
    lines = [*GOLDEN["texts"], *sample_lines(), *random_lines()]
    expected = library.encode(lines)
    ids, _, limits = korean.tokenize_with_offsets(lines)
    assert ids.to_list() == korean(lines).to_list()
    num_ties = 0
    for line, own, theirs in zip(lines, ids.to_list(), expected, strict=True):
        if own != theirs:
            # Of equal likelihood: versions of the library differ in which they take.
            assert sorted(own) == sorted(theirs), ascii(line)
            num_ties += 1
    assert num_ties < len(lines) / 50
    # The parts of the text that the library gives each piece are those between limits.
    for line, own, ends in zip(lines[:300], ids.to_list(), limits.to_list()):
        try:
            proto = library.encode(line, return_type="proto")
        except TypeError:  # before 0.2.2
            proto = library.encode(line, out_type="immutable_proto")
        if [piece.id for piece in proto.pieces] == own:
            places = zip([0, *ends[:-1]], ends, strict=True) if ends else ()
            slices = [line[start:limit] for start, limit in places]
            surfaces = [piece.surface for piece in proto.pieces]
            assert slices[1:] == surfaces[1:]
            assert not own or slices[0].endswith(surfaces[0])


def test_a_list_of_its_own_gives_the_ids(korean, own_ids):
    tokenizer = SentencePieceTokenizer(MODEL, own_ids)
    assert tokenizer.vocabulary.tokens == tuple(own_ids)
    assert tokenizer.vocabulary.special_ids == (995, 996, 997, 998, 999)
    texts = GOLDEN["texts"]
    expected = [[own_ids[id] for id in row] for row in tokenizer(texts).to_list()]
    assert expected == [
        [korean.vocabulary.tokens[id] for id in row] for row in GOLDEN["ids"]
    ]
    assert (
        tokenizer.detokenize(tokenizer(["대한 국민"])).numpy()[0].decode()
        == "대한 국민"
    )


def test_lists_in_files(korean, own_ids, tmp_path):
    Vocabulary(own_ids).write(tmp_path / "vocab.txt")
    gluon = {
        "idx_to_token": [*own_ids[:-5], "<u>", *own_ids[-4:]],
        "unknown_token": "<u>",
        "padding_token": "[PAD]",
        "bos_token": None,
        "cls_token": "[CLS]",
    }
    (tmp_path / "vocab.json").write_text(json.dumps(gluon), "utf-8")
    for name, unknown in (("vocab.txt", "[UNK]"), ("vocab.json", "<u>")):
        tokenizer = SentencePieceTokenizer(MODEL, tmp_path / name)
        assert tokenizer.vocabulary.unknown_token == unknown
        assert tokenizer(["☃"]).to_list() == [[own_ids.index("▁"), 995]]
        again = SentencePieceTokenizer.from_config(tokenizer.get_config())
        assert again.vocabulary == tokenizer.vocabulary
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(ValueError, match=r'JSON object with "idx_to_token", in .*json'):
        SentencePieceTokenizer(MODEL, tmp_path / "vocab.json")


def test_special_tokens_typed_are_text(korean):
    # The model itself lists [MASK] as user-defined: the library finds it in a text.
    text = "국민[MASK] [SEP]의 [PAD][CLS] [UNK]"
    (ids,) = korean([text]).to_list()
    assert not set(ids) & {1, 2, 3, 4}
    _, starts, limits = korean.tokenize_with_offsets([text])
    slices = zip(starts.to_list()[0], limits.to_list()[0], strict=True)
    assert "".join(text[a:b] for a, b in slices) == text.replace(" ", "")


@pytest.mark.parametrize("has_own_ids", [False, True])
def test_special_tokens_typed_can_be_tokens(has_own_ids, own_ids):
    vocabulary = own_ids if has_own_ids else None
    every = SentencePieceTokenizer(MODEL, vocabulary, special_tokens_in_text=True)
    text = "국민[MASK]의 [SEP] 대한 [UNK][PAD]"
    expected = ["▁국민", "[MASK]", "의", "[SEP]", "▁", "대", "한", "[UNK]", "[PAD]"]
    expected = expected[:4] + pieces(every, "대한") + expected[7:]
    assert pieces(every, text) == expected
    names = every.vocabulary
    ids, starts, limits = every.tokenize_with_offsets([text])
    for name in (names.mask_id, names.sep_id, names.unknown_id, names.pad_id):
        assert name in ids.to_list()[0]
    slices = zip(starts.to_list()[0], limits.to_list()[0], strict=True)
    assert [text[a:b] for a, b in slices][:4] == ["국민", "[MASK]", "의", "[SEP]"]
    assert every.detokenize(ids).numpy()[0].decode() == "국민의 대한"
    assert every(["[MASK]", " [MASK] ", "", " "]).to_list() == [[names.mask_id]] * 2 + [
        [],
        [],
    ]

    mask = SentencePieceTokenizer(MODEL, vocabulary, special_tokens_in_text=["[MASK]"])
    (ids,) = mask([text]).to_list()
    typed = set(names.special_ids) - {names.unknown_id}  # letters may be unknown
    assert set(ids) & typed == {names.mask_id}
    # Texts without any are as without the option.
    plain = SentencePieceTokenizer(MODEL, vocabulary)
    lines = sample_lines()
    assert every(lines).to_list() == plain(lines).to_list()


def test_golden_offsets(korean):
    text = "국민의  뜻\u3000㎢"
    ids, starts, limits = korean.tokenize_with_offsets([text, ""])
    assert ids.dtype == starts.dtype == limits.dtype == tf.int32
    assert pieces(korean, text) == ["▁국민", "의", "▁", "[UNK]", "▁", "k", "[UNK]", "2"]
    assert starts.to_list() == [[0, 2, 5, 5, 7, 7, 7, 7], []]
    assert limits.to_list() == [[2, 3, 5, 6, 7, 7, 7, 8], []]
    _, starts, limits = korean.tokenize_with_offsets([text, ""], unit="bytes")
    assert starts.to_list() == [[0, 6, 11, 11, 17, 17, 17, 17], []]
    assert limits.to_list() == [[6, 9, 11, 14, 17, 17, 17, 20], []]


def test_slices_are_in_order_and_hold_the_text(korean):
    lines = [*GOLDEN["texts"], *sample_lines(), *random_lines()]
    results = {
        unit: korean.tokenize_with_offsets(lines, unit)
        for unit in ("characters", "bytes")
    }
    rows = zip(
        lines,
        *(x.to_list() for unit in results.values() for x in unit[1:]),
        strict=True,
    )
    for line, starts, limits, byte_starts, byte_limits in rows:
        flat = [place for pair in zip(starts, limits, strict=True) for place in pair]
        assert flat == sorted(flat)
        assert all(0 <= place <= len(line) for place in flat)
        data = line.encode()
        for a, b, c, d in zip(starts, limits, byte_starts, byte_limits, strict=True):
            assert line[a:b].encode() == data[c:d]
        # Nothing but white space, and what is normalised to it, is in no slice.
        inside = "".join(line[a:b] for a, b in zip(starts, limits, strict=True))
        lost = re.sub(r"[\s\x00-\x1f\x7f-\xa0\u200b\u2581\ufffd]", "", line)
        assert re.sub(r"[\s\x00-\x1f\x7f-\xa0\u200b\u2581\ufffd]", "", inside) == lost


def test_bytes_that_are_not_utf8_are_replaced(korean):
    bad = [b"\xea\xb5\xad \xff\xeb\xaf\xbc", "국\ufffd민".encode()]
    expected = [text.decode(errors="replace") for text in bad]
    assert korean(bad).to_list() == korean(expected).to_list()
    for got, wanted in zip(
        korean.tokenize_with_offsets(bad), korean.tokenize_with_offsets(expected)
    ):
        assert got.to_list() == wanted.to_list()


def test_pieces_and_back(korean):
    assert pieces(korean, "대한민국 국민의") == ["▁대한민국", "▁국민", "의"]
    padded = korean(["대한민국 국민의", "국민"]).to_tensor(1)
    rows = tf.concat([tf.fill((2, 1), 2), padded, tf.fill((2, 1), 3)], axis=1)
    texts = korean.detokenize(rows).numpy()
    assert [text.decode() for text in texts] == ["대한민국 국민의", "국민"]
    assert korean.detokenize(korean(["", "☃"])).numpy().tolist() == [b"", b""]


def test_eager_equals_tf_data_equals_saved_model(korean, tmp_path):
    lines = [*GOLDEN["texts"], *random_lines()[:50]]
    expected = korean(lines).to_list()
    data = tf.data.Dataset.from_tensor_slices(lines).batch(7).map(korean)
    assert [row for batch in data for row in batch.to_list()] == expected

    module = tf.Module()
    module.tokenizer = korean
    module.serve = tf.function(
        lambda strings: [
            x.to_tensor(-1) for x in korean.tokenize_with_offsets(strings)
        ],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, tmp_path / "model")
    served = tf.saved_model.load(tmp_path / "model").serve(tf.constant(lines))
    for got, wanted in zip(served, korean.tokenize_with_offsets(lines), strict=True):
        np.testing.assert_array_equal(got, wanted.to_tensor(-1))


LOAD = """
import json, sys
import keras, numpy as np
import kbert.text.preprocessor
model = keras.saving.load_model(sys.argv[1])
x = model.predict(np.array(json.loads(sys.argv[2]), dtype=object), verbose=0)
print(json.dumps(x["token_ids"].tolist()))
"""


def test_functional_model_keras_file_and_saved_model(own_ids, tmp_path):
    copy = tmp_path / "copy.model"
    copy.write_bytes(MODEL.read_bytes())
    layer = BertPreprocessor(SentencePieceTokenizer(copy, own_ids), sequence_length=12)
    texts = ["대한민국 국민", "", "[SEP] 국민"]
    expected = layer(texts)["token_ids"].numpy()
    assert expected[1].tolist() == [997, 998] + [996] * 10
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "saved", verbose=False)
    copy.unlink()  # neither file needs it

    served = tf.saved_model.load(tmp_path / "saved").serve(tf.constant(texts))
    np.testing.assert_array_equal(served["token_ids"], expected)
    command = [sys.executable, "-c", LOAD, tmp_path / "model.keras", json.dumps(texts)]
    done = subprocess.run(
        command, cwd=DATA.parents[1], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == expected.tolist()


def test_config_round_trip(korean, own_ids):
    tokenizer = SentencePieceTokenizer(
        MODEL,
        [*own_ids[:-5], "[MASK]", "<u>", "<p>", "<c>", "<s>", "<m>"],
        pad_token="<p>",
        unknown_token="<u>",
        cls_token="<c>",
        sep_token="<s>",
        mask_token="<m>",
        special_tokens_in_text=["<m>", "<s>"],
        name="text",
    )
    data = json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    again = keras.saving.deserialize_keras_object(data)
    assert again.name == "text" and again.get_config() == tokenizer.get_config()
    assert again.vocabulary == tokenizer.vocabulary
    assert again.special_tokens_in_text == ["<m>", "<s>"]
    assert pieces(again, "국민<m>[MASK]")[:2] == ["▁국민", "<m>"]
    config = korean.get_config()
    assert (
        SentencePieceTokenizer(MODEL.read_bytes()).get_config()["model"]
        == config["model"]
    )
    assert config["vocabulary"] is None and config["special_tokens_in_text"] is False


def test_errors(korean, own_ids, tmp_path):
    for value in ("a text", tf.constant("a text")):
        with pytest.raises(ValueError, match=r"the shape \(B,\).*got the shape \(\)"):
            korean(value)
    with pytest.raises(ValueError, match=r"unit must be .*; got 'words'"):
        korean.tokenize_with_offsets(["a"], unit="words")
    with pytest.raises(ValueError, match=r"a list of special tokens .*; got \['a'\]"):
        SentencePieceTokenizer(MODEL, special_tokens_in_text=["a"])
    with pytest.raises(ValueError, match=r"has no <c>.*Pass cls_token=\.\.\. if"):
        SentencePieceTokenizer(MODEL, cls_token="<c>")
    with pytest.raises(ValueError, match=r"hold its mask_token '\[MASK\]'"):
        SentencePieceTokenizer(MODEL, own_ids[:-1])
    with pytest.raises(ValueError, match="2 of 1000 are missing, .* another model"):
        SentencePieceTokenizer(MODEL, own_ids[2:])
    with pytest.raises(FileNotFoundError, match="'absent.model' is none of them"):
        SentencePieceTokenizer("absent.model")


def test_added_tokens(korean, tmp_path):
    files = tmp_path / "theirs"
    files.mkdir()
    shutil.copy(MODEL, files / "spiece.model")
    size = len(korean.vocabulary)
    added = {"<e>": size, "</e>": size + 1}
    (files / "added_tokens.json").write_text(json.dumps(added), "utf-8")
    tokenizer = load_tokenizer(files)
    assert tokenizer.vocabulary.tokens[size:] == ("<e>", "</e>")
    texts = ["나는 <e>학교</e>에 간다", "<e>", " <e> 가", "", "학교 e> 가"]
    parts = korean(["나는 ", "학교", "에 간다", " ", " 가"]).to_list()
    assert tokenizer(texts).to_list() == [
        [*parts[0], size, *parts[1], size + 1, *parts[2]],
        [size],
        [*parts[3], size, *parts[4]],
        [],
        *korean(["학교 e> 가"]).to_list(),
    ]
    for row, text in zip(tokenizer.located(texts), texts, strict=True):
        assert [start for _, start, _ in row] == sorted(start for _, start, _ in row)
        for id, start, limit in row:
            token = tokenizer.vocabulary.tokens[id]
            assert text[start:limit] == token.removeprefix("▁")
    write_tokenizer(tokenizer, tmp_path)
    again = load_tokenizer(tmp_path, name=tokenizer.name)
    assert again.get_config() == tokenizer.get_config()
    assert again(texts).to_list() == tokenizer(texts).to_list()
    assert tokenizer.texts([[*parts[1], size]]) == ["학교"]
