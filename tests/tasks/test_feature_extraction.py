"""Vectors of texts: against the model row by row, their places, and transformers."""

import numpy as np
import pytest

from kbert.checkpoints.load_and_save import load, load_tokenizer, save
from kbert.models.backbone import BertBackbone
from kbert.models.text_classifier import BertTextClassifier
from kbert.tasks.feature_extraction import extract_features
from kbert.text.preprocessor import BertPreprocessor
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "영화", "좋", "##다", "a", "!"]
TEXTS = ["영화 좋다!", "", "a", "좋다 영화 좋다 좋다", ("영화 a", "좋다 !"), ("", "a")]


def made(seed=0, **options):
    model = BertBackbone(10, 3, 2, 8, 12, max_sequence_length=9, **options)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(seed + i).normal(size=weight.shape) * 0.5)
    return model


def features(model, texts, **options):
    tokenizer = options.pop("tokenizer", None) or ReferenceTokenizer(TOKENS)
    return list(extract_features(model, tokenizer, texts, **options))


def test_tokens_and_their_places():
    one, two, three = features(made(), ["영화  좋다", ("a", "좋다!"), ""])
    assert one["tokens"] == ["[CLS]", "영화", "좋", "##다", "[SEP]"]
    assert one["token_ids"].tolist() == [2, 5, 6, 7, 3]
    assert one["segment_ids"].tolist() == [0] * 5
    assert one["starts"].tolist() == [0, 0, 4, 5, 0]
    assert one["limits"].tolist() == [0, 2, 5, 6, 0]
    assert two["tokens"] == ["[CLS]", "a", "[SEP]", "좋", "##다", "!", "[SEP]"]
    assert two["segment_ids"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert two["starts"].tolist() == [0, 0, 0, 0, 1, 2, 0]
    assert two["limits"].tolist() == [0, 1, 0, 1, 2, 3, 0]
    assert three["tokens"] == ["[CLS]", "[SEP]"]
    for name in ("token_ids", "segment_ids", "starts", "limits"):
        assert {row[name].dtype for row in (one, two, three)} == {np.dtype("int32")}
    assert one["attentions"] is None
    assert one["hidden_states"].shape == (1, 5, 8)


def test_each_text_by_itself_gives_its_numbers():
    model = made()
    together = features(model, TEXTS, layers=[-1, 0, 2], attention=True, batch_size=4)
    assert len(together) == len(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        (alone,) = features(model, [text], layers=[-1, 0, 2], attention=True)
        n = len(row["tokens"])
        assert row["hidden_states"].shape == (3, n, 8)
        assert row["attentions"].shape == (3, 2, n, n)
        for name in ("hidden_states", "attentions"):
            assert row[name].dtype == np.float32
            np.testing.assert_allclose(row[name], alone[name], atol=2e-6)
        np.testing.assert_allclose(row["attentions"].sum(axis=-1), 1, atol=1e-5)
        inputs = {
            "token_ids": row["token_ids"][None],
            "segment_ids": row["segment_ids"][None],
            "padding_mask": np.ones((1, n), "int32"),
        }
        expected = np.asarray(model(inputs)["sequence_output"])[0]
        np.testing.assert_allclose(row["hidden_states"][0], expected, atol=2e-6)


def test_tokenizers_and_preprocessors_agree():
    model = made()
    expected = features(model, TEXTS)
    in_graph = BertTokenizer(TOKENS)
    for tokenizer in (in_graph, BertPreprocessor(in_graph, 9)):
        for one, other in zip(
            features(model, TEXTS, tokenizer=tokenizer), expected, strict=True
        ):
            assert one["tokens"] == other["tokens"]
            for name in ("token_ids", "starts", "limits", "hidden_states"):
                assert np.array_equal(one[name], other[name])


def test_halves_of_surrogate_pairs():
    model, broken = made(), ["a\ud83d b", ("영화", "좋다\udc00 a")]
    whole = ["a\ufffd b", ("영화", "좋다\ufffd a")]
    for tokenizer in (BertTokenizer(TOKENS), ReferenceTokenizer(TOKENS)):
        rows = features(model, broken, tokenizer=tokenizer)
        for row, other in zip(rows, features(model, whole, tokenizer=tokenizer)):
            for name in ("token_ids", "starts", "limits", "hidden_states"):
                assert np.array_equal(row[name], other[name])


@pytest.mark.parametrize("length", [5, 6, 9, 30])
def test_long_texts_are_cut_as_the_packer_cuts(length):
    preprocessor = BertPreprocessor(BertTokenizer(TOKENS), length)
    texts = ["a " * 20, ("a " * 20, "좋다"), ("a", "좋다 " * 20), ("a " * 9, "! " * 9)]
    found = features(made(), texts, tokenizer=preprocessor)
    longest = min(length, 9)  # the positions of the model
    cut = BertPreprocessor(BertTokenizer(TOKENS), longest)
    for text, row in zip(texts, found, strict=True):
        columns = ([text],) if isinstance(text, str) else tuple([t] for t in text)
        packed = {name: np.asarray(x)[0] for name, x in cut(columns).items()}
        assert row["token_ids"].tolist() == packed["token_ids"].tolist()
        assert row["segment_ids"].tolist() == packed["segment_ids"].tolist()
        assert len(row["tokens"]) == longest


def test_a_model_with_a_head_and_half_precision():
    model = made(dtype="mixed_bfloat16")
    ours = features(BertTextClassifier(model, 3), TEXTS)
    for one, other in zip(ours, features(model, TEXTS), strict=True):
        assert one["hidden_states"].dtype == np.float32
        assert np.array_equal(one["hidden_states"], other["hidden_states"])


def test_texts_are_read_as_they_are_needed():
    read = []

    def texts():
        for text in ["a", "영화", "좋다", "!"]:
            read.append(text)
            yield text

    rows = extract_features(made(), ReferenceTokenizer(TOKENS), texts(), batch_size=2)
    assert read == []
    next(rows)
    assert read == ["a", "영화"]
    assert len(list(rows)) == 3
    assert features(made(), []) == []


@pytest.mark.parametrize(
    "texts, options, message",
    [
        ("a", {}, "texts must be an iterable of strings; got the string 'a'"),
        (["a"], {"batch_size": 0}, "batch_size must be at least 1; got 0"),
        (["a"], {"layers": [4]}, r"layers must be from -4 to 3.*got \[4\]"),
        ([7], {}, "must be a string or a pair of strings; got 7"),
        ([("a", None)], {}, "must be a string or a pair of strings; got"),
        ([("a", "b", "c")], {}, "must be a string or a pair of strings; got"),
    ],
)
def test_what_is_refused(texts, options, message):
    with pytest.raises(ValueError, match=message):
        features(made(), texts, **options)


def test_the_numbers_of_transformers(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed"
    )
    texts = ["이 영화 정말 재미있다", "a", ("배우들의 연기가", "좋았다."), ("그는", "")]
    name = "kbert_tiny_ko_en"
    model, tokenizer = load(name), load_tokenizer(name)
    save(model.backbone, tmp_path / "model", tokenizer)
    theirs = transformers.BertModel.from_pretrained(
        tmp_path / "model", attn_implementation="eager"
    )
    theirs.eval()
    rows = features(model, texts, tokenizer=tokenizer, layers=[0, 1, 2], attention=True)
    lengths = [len(row["tokens"]) for row in rows]
    assert len(set(lengths)) == 4
    padded = {  # all in one batch, with padding, as ours were
        name: torch.tensor(
            np.stack(
                [
                    np.pad(row[name], (0, max(lengths) - n))
                    for row, n in zip(rows, lengths)
                ]
            )
        ).long()
        for name in ("token_ids", "segment_ids")
    }
    mask = torch.tensor([[int(i < n) for i in range(max(lengths))] for n in lengths])
    with torch.no_grad():
        outputs = theirs(
            input_ids=padded["token_ids"],
            token_type_ids=padded["segment_ids"],
            attention_mask=mask,
            output_hidden_states=True,
            output_attentions=True,
        )
    assert len(outputs.hidden_states) == 3
    assert len(outputs.attentions) == 2
    for i, (row, n) in enumerate(zip(rows, lengths, strict=True)):
        for layer, state in enumerate(outputs.hidden_states):
            expected = state[i, :n].numpy()
            assert np.abs(row["hidden_states"][layer] - expected).max() <= 2e-5
        for layer, attention in enumerate(outputs.attentions):
            expected = attention[i, :, :n, :n].numpy()
            assert np.abs(row["attentions"][layer] - expected).max() <= 2e-5
    reference = tokenizer.as_reference()
    own = features(model, texts, tokenizer=reference, layers=[2])
    for one, row in zip(own, rows, strict=True):
        assert np.array_equal(one["token_ids"], row["token_ids"])
