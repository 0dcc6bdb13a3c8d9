import keras
import pytest
import tensorflow as tf
from test_added_tokens import BASE, cases, made, rust_ids

from kbert.text.graph_added_tokens import GraphAddedTokenSplitter
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary import Vocabulary


def test_ids_and_places_equal_the_reference_and_the_rust_library():
    for i, (added, _, texts) in enumerate(cases(4, seed=11)):
        # Two kinds alone: the tables of another take a second.
        settings = {"lowercase": i > 0, "strip_accents": None, "split_on_cjk": True}
        settings["compatibility"] = "huggingface"
        vocabulary = made(added)
        tokenizer = BertTokenizer(vocabulary, **settings)
        reference = ReferenceTokenizer(vocabulary, **settings)
        ids, starts, limits = (
            part.to_list() for part in tokenizer.tokenize_with_offsets(texts)
        )
        assert tokenizer(texts).to_list() == ids == rust_ids(added, settings, texts)
        located = [list(zip(*row, strict=True)) for row in zip(ids, starts, limits)]
        assert located == [reference.tokenize_with_offsets(text) for text in texts]


def test_bytes_damaged_texts_and_empty_batches():
    vocabulary = Vocabulary([*BASE, "<e>"], added_tokens=["<e>"])
    tokenizer = BertTokenizer(vocabulary)
    marker = vocabulary.token_to_id("<e>")
    a = vocabulary.token_to_id("a")
    parts = tokenizer.tokenize_with_offsets(["가<e>a"], unit="bytes")
    assert [part.to_list() for part in parts][1:] == [[[0, 3, 6]], [[3, 6, 7]]]
    damaged = tf.constant([b"\xffa\x01<e>", b"", b"<e"])
    ids, starts, _ = tokenizer.tokenize_with_offsets(damaged)
    assert ids.to_list()[:2] == [[a, marker], []]
    assert starts.to_list()[0] == [1, 3]
    assert tokenizer(tf.constant([], tf.string)).to_list() == []


def test_many_tokens_and_too_many():
    names = [f"<n{i}>" for i in range(2000)]
    vocabulary = Vocabulary([*BASE, *names], added_tokens=names)
    tokenizer = BertTokenizer(vocabulary)
    assert tokenizer.tokenize(["<n7><n1999> <n77>"]).to_list() == (
        [[b"<n7>", b"<n1999>", b"<n77>"]]
    )
    words = [chr(0xAC00 + i) * 40 for i in range(11000)]
    vocabulary = Vocabulary([*BASE, *words], added_tokens=words)
    with pytest.raises(ValueError, match="one pattern can hold; 11,000 of 440,000"):
        GraphAddedTokenSplitter(vocabulary.added_tokens, vocabulary)


def test_saved_and_served(tmp_path):
    added = ["<e>", {"content": "URL", "normalized": True, "single_word": True}]
    vocabulary = Vocabulary([*BASE, "<e>", "URL"], added_tokens=added)
    tokenizer = BertTokenizer(vocabulary, lowercase=True)
    texts = ["a<e>url", "curl Url <E>"]
    expected = ReferenceTokenizer(vocabulary, lowercase=True)(texts)
    data = keras.saving.serialize_keras_object(tokenizer)
    again = keras.saving.deserialize_keras_object(data)
    assert again.vocabulary == vocabulary and again(texts).to_list() == expected
    module = tf.Module()
    module.tokenizer = tokenizer
    module.serve = tf.function(
        lambda strings: tokenizer(strings).to_tensor(-1),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, tmp_path)
    served = tf.saved_model.load(tmp_path).serve(tf.constant(texts)).numpy()
    assert [[i for i in row if i >= 0] for row in served.tolist()] == expected
