"""One interface, three tokenizers: the same cases for all of them."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.tokenizer_protocol import Tokenizer, as_tokenizer

DATA = Path(__file__).parents[1] / "data"
TOKENS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "em",
    "##bed",
    "!",
    "국민",
    "##의",
]
TEXTS = ["국민의 embed!", "", " 국민 em", "한국 국민의 !", "[MASK] 국민"]
MADE = {
    "graph": lambda **settings: BertTokenizer(TOKENS, **settings),
    "short": lambda **settings: BertTokenizer(TOKENS, **settings),
    "reference": lambda **settings: ReferenceTokenizer(TOKENS, **settings),
    "sentencepiece": lambda **settings: SentencePieceTokenizer(
        DATA / "sentencepiece.model", **settings
    ),
}


@pytest.fixture(scope="module", params=MADE)
def kind(request):
    """The tokenizers; "graph" as for long texts, where short ones go to Python."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "graph":
            patch.setattr("kbert.text.tokenizer.FEW_CHARACTERS", 0)
        yield request.param


@pytest.fixture(scope="module")
def tokenizer(kind):
    return MADE[kind]()


def columns(slices):
    return [x.tolist() for x in (slices.ids, slices.starts, slices.limits)]


def test_it_keeps_the_protocol(kind, tokenizer):
    assert isinstance(tokenizer, Tokenizer)
    assert as_tokenizer(tokenizer) is tokenizer
    assert tokenizer.is_sentencepiece == (kind == "sentencepiece")
    assert tokenizer.in_graph == (kind != "reference")
    assert tokenizer.in_graph == isinstance(tokenizer, keras.layers.Layer)
    assert tokenizer.sequence_length is None


def test_what_keeps_no_protocol_is_refused():
    for value in (TOKENS, "vocab.txt", None, BertTokenizer):
        with pytest.raises(ValueError, match="Expected a ReferenceTokenizer or a Bert"):
            as_tokenizer(value)


def test_ids_and_pieces(tokenizer):
    ids, pieces = tokenizer.ids(TEXTS), tokenizer.pieces(TEXTS)
    assert len(ids) == len(pieces) == len(TEXTS)
    assert ids[1] == pieces[1] == []
    token_to_id = tokenizer.vocabulary.token_to_id
    assert [list(map(token_to_id, row)) for row in pieces] == ids
    assert all(type(id) is int for row in ids for id in row)
    assert all(len(row) > 0 for i, row in enumerate(ids) if i != 1)


def test_one_string_is_a_batch_of_one(tokenizer):
    text = TEXTS[0]
    assert tokenizer.ids(text) == tokenizer.ids([text]) == tokenizer.ids((text,))
    assert tokenizer.pieces(text) == tokenizer.pieces([text])
    assert columns(tokenizer.slices(text)) == columns(tokenizer.slices([text]))
    assert len(tokenizer.slices(text)) == 1
    assert tokenizer.located(text) == tokenizer.located([text])
    assert tokenizer.ids(np.array([text], object)) == tokenizer.ids(text)
    assert tokenizer.ids(iter(TEXTS)) == tokenizer.ids(TEXTS)


def test_an_empty_batch(tokenizer):
    assert tokenizer.ids([]) == tokenizer.pieces([]) == tokenizer.texts([]) == []
    assert tokenizer.located([]) == []
    slices = tokenizer.slices([])
    assert len(slices) == 0 and columns(slices) == [[], [], []]


def test_slices_are_those_of_each_text(tokenizer):
    slices = tokenizer.slices(TEXTS)
    assert len(slices) == len(TEXTS)
    assert [slices.text(i)[0].tolist() for i in range(len(TEXTS))] == tokenizer.ids(
        TEXTS
    )
    assert len(tokenizer.located(TEXTS)) == len(TEXTS)
    for i, text in enumerate(TEXTS):
        alone = tokenizer.slices(text)
        assert tokenizer.located(text) == [list(zip(*columns(alone)))]
        assert [x.tolist() for x in slices.text(i)] == columns(alone)
        _, starts, limits = slices.text(i)
        assert (starts <= limits).all() and (limits[:-1] <= starts[1:]).all()
        # The pieces hold every character but white space.
        held = "".join(text[a:b] for a, b in zip(starts, limits))
        assert held.replace(" ", "") == text.replace(" ", "")
    assert {x.dtype.name for x in slices.text(0)} == {"int32"}
    assert slices.splits.dtype == "int64"


def test_chunks_change_nothing(tokenizer, monkeypatch):
    expected = columns(tokenizer.slices(TEXTS)), tokenizer.ids(TEXTS)
    monkeypatch.setattr("kbert.text.graph_strings.CHUNK", 2)
    assert (columns(tokenizer.slices(TEXTS)), tokenizer.ids(TEXTS)) == expected


@pytest.mark.parametrize("half", ["\ud83d", "\udc00", "\ud83d\ude00"])
def test_halves_of_surrogate_pairs(tokenizer, half):
    broken = f"국민{half} em"
    whole = broken.replace(half, len(half) * "\ufffd")
    assert tokenizer.ids([broken, "국민"]) == tokenizer.ids([whole, "국민"])
    assert tokenizer.pieces(broken) == tokenizer.pieces(whole)
    assert columns(tokenizer.slices(broken)) == columns(tokenizer.slices(whole))
    _, starts, limits = tokenizer.slices(broken).text(0)
    assert broken[starts[-1] : limits[-1]].endswith("em"[-(limits[-1] - starts[-1]) :])


def test_texts_of_ids(tokenizer):
    vocabulary = tokenizer.vocabulary
    rows = [
        [vocabulary.cls_id, *row, vocabulary.sep_id] for row in tokenizer.ids(TEXTS)
    ]
    found = tokenizer.texts(rows[:2])
    assert found[0].startswith("국민의 ") and found[1] == ""
    assert tokenizer.texts(np.array(rows[:1])) == found[:1]
    with pytest.raises(ValueError, match="Expected rows of ids, one for each text"):
        tokenizer.texts(rows[0])


def test_special_tokens_in_text(tokenizer):
    mask = tokenizer.vocabulary.mask_id
    text = "국민 [MASK]"
    assert mask not in tokenizer.ids(text)[0]
    with_mask = tokenizer.with_special_tokens_in_text(["[MASK]"])
    assert type(with_mask) is type(tokenizer)
    assert with_mask.ids(text)[0][-1] == mask
    _, starts, limits = with_mask.slices(text).text(0)
    assert text[starts[-1] : limits[-1]] == "[MASK]"
    assert mask not in tokenizer.ids(text)[0]


def test_the_config_makes_it_again(kind):
    tokenizer = MADE[kind](special_tokens_in_text=["[MASK]"])
    config = tokenizer.get_config()
    again = type(tokenizer).from_config(config)
    assert again.get_config() == config
    assert again.vocabulary == tokenizer.vocabulary
    assert again.ids(TEXTS) == tokenizer.ids(TEXTS)


@pytest.mark.parametrize("batch", [[1], ["a", None], [["a"]], [b"a"]])
def test_what_is_no_text(tokenizer, batch):
    for method in (tokenizer.ids, tokenizer.pieces, tokenizer.slices):
        with pytest.raises(ValueError, match="Expected a string or a batch of strings"):
            method(batch)


def test_wordpiece_in_the_graph_and_in_python_are_one(monkeypatch):
    monkeypatch.setattr("kbert.text.tokenizer.FEW_CHARACTERS", 0)
    graph, reference = MADE["graph"](), MADE["reference"]()
    assert graph.ids(TEXTS) == reference.ids(TEXTS)
    assert graph.pieces(TEXTS) == reference.pieces(TEXTS)
    assert columns(graph.slices(TEXTS)) == columns(reference.slices(TEXTS))
    rows = graph.ids(TEXTS)
    assert graph.texts(rows) == reference.texts(rows)
    assert graph.as_reference().get_config() == reference.get_config()
    assert reference.as_reference() is reference
    own = {k: v for k, v in graph.get_config().items() if k in reference.get_config()}
    assert own == reference.get_config()


def test_few_characters_stay_out_of_the_graph(monkeypatch):
    tokenizer = MADE["short"]()
    called = []
    monkeypatch.setattr(tokenizer, "tokenize_with_offsets", called.append)
    monkeypatch.setattr(tokenizer, "call", called.append)
    assert tokenizer.ids("국민의") == [[8, 9]]
    assert columns(tokenizer.slices("국민의")) == [[8, 9], [0, 2], [2, 3]]
    assert called == []


def test_sentencepiece_has_no_reference():
    with pytest.raises(ValueError, match="or a BertTokenizer; got SentencePieceTok"):
        MADE["sentencepiece"]().as_reference()


@pytest.mark.parametrize(
    "kind, before, token, after, expected",
    [
        ("graph", "영화 ", "좋", "다", "영화 좋다"),
        ("graph", "영화 ", "##가", "", "영화가"),
        ("graph", "", "##가", "!", "가!"),
        ("graph", "a\x0b\u3000", "##\n", "!", "a\n!"),
        ("sentencepiece", "영화 ", "▁좋", "다", "영화 좋다"),
        ("sentencepiece", "영화 ", "가", "", "영화가"),
        ("sentencepiece", " ", "▁가", "!", "가!"),
        ("sentencepiece", "", "가", "", "가"),
    ],
)
def test_a_token_in_place_of_a_mask(kind, before, token, after, expected):
    tokenizer = MADE[kind]()
    assert tokenizer.filled(before, token, after) == expected
    found = tokenizer.filled_in_graph(*map(tf.constant, (before, token, after)))
    assert found.numpy().decode() == expected
    if kind == "graph":
        assert MADE["reference"]().filled(before, token, after) == expected


def test_a_list_of_texts_is_no_text():
    """Each method of the reference says of a list what it says of each of its texts."""
    reference = MADE["reference"]()
    located = reference.tokenize_with_offsets(TEXTS)
    assert located == [reference.tokenize_with_offsets(text) for text in TEXTS]
    assert located[2] == [(8, 1, 3), (5, 4, 6)]
    assert reference.tokenize(TEXTS) == [reference.tokenize(text) for text in TEXTS]
    assert reference.tokenize("국민의") == ["국민", "##의"]
    assert reference.tokenize_with_offsets("a\ud83d em") == [(1, 0, 1), (5, 3, 5)]


def test_needs_neither_numpy_nor_tensorflow():
    code = (
        "import sys, kbert.text.tokenizer_protocol;"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DATA.parents[1])
