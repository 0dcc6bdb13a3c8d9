import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.text.preprocessor import BertPreprocessor
from kbert.text.tokenizer import BertTokenizer

DATA = pathlib.Path(__file__).parents[1] / "data"
SMALL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "em", "##bed"]
A = ["대한민국 국민", "must", ""]
B = ["two", "학생", "민원 입니다"]


def preprocessor(sequence_length=12):
    tokenizer = BertTokenizer(DATA / "text_vocabulary.txt", lowercase=True)
    return BertPreprocessor(tokenizer, sequence_length=sequence_length, name="text")


def assert_equal(got, expected):
    assert list(got) == ["token_ids", "segment_ids", "padding_mask"]
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_golden_pair():
    layer = BertPreprocessor(BertTokenizer(SMALL), sequence_length=6)
    expected = {
        "token_ids": [[2, 5, 6, 3, 5, 3]],
        "segment_ids": [[0, 0, 0, 0, 1, 1]],
        "padding_mask": [[1, 1, 1, 1, 1, 1]],
    }
    assert_equal(layer((["embed"], ["em"])), expected)


def test_a_list_of_strings_is_one_batch_and_a_tuple_is_a_pair():
    layer = preprocessor()
    single = layer(["must", "two"])
    assert single["token_ids"].shape == (2, 12)
    assert not single["segment_ids"].numpy().any()
    assert_equal(layer((["must", "two"],)), single)
    pair = layer((["must"], ["two"]))
    assert pair["token_ids"].shape == (1, 12)
    assert pair["segment_ids"].numpy().any()
    assert_equal(layer([tf.constant(["must"]), tf.constant(["two"])]), pair)
    assert_equal(layer([np.array(["must"]), np.array(["two"])]), pair)
    assert layer([])["token_ids"].shape == (0, 12)


def test_eager_equals_tf_data():
    layer = preprocessor()
    data = tf.data.Dataset.from_tensor_slices((A, B)).batch(2)
    data = data.map(lambda a, b: layer((a, b)))
    assert data.element_spec["token_ids"].shape.as_list() == [None, 12]
    batches = list(data)
    got = {name: tf.concat([x[name] for x in batches], 0) for name in batches[0]}
    assert_equal(got, layer((A, B)))


@pytest.mark.parametrize("pair", [False, True])
def test_functional_model_keras_file_and_saved_model(pair, tmp_path):
    layer = preprocessor()
    inputs = [
        keras.Input((), dtype="string", name=f"text_{i}") for i in range(1 + pair)
    ]
    outputs = layer(tuple(inputs) if pair else inputs[0])
    assert {name: (x.shape, x.dtype) for name, x in outputs.items()} == {
        name: ((None, 12), "int32")
        for name in ("token_ids", "segment_ids", "padding_mask")
    }
    model = keras.Model(inputs if pair else inputs[0], outputs)
    strings = [np.array(x, dtype=object) for x in ((A, B) if pair else (A,))]
    strings = strings if pair else strings[0]
    expected = layer((A, B) if pair else A)
    assert_equal(model.predict(strings, verbose=0), expected)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_layer("text").get_config() == layer.get_config()
    assert_equal(again.predict(strings, verbose=0), expected)

    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(tmp_path / "saved").serve(
        [tf.constant(A), tf.constant(B)] if pair else tf.constant(A)
    )
    assert_equal(
        dict(sorted(served.items(), key=lambda x: list(expected).index(x[0]))), expected
    )


def test_keras_file_needs_no_other_file(tmp_path):
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, preprocessor()(inputs))
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, numpy as np, kbert.text.preprocessor\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "x = model.predict(np.array(['must'], dtype=object), verbose=0)\n"
        "print(x['token_ids'].tolist())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.keras")]
    done = subprocess.run(
        command, check=True, cwd=DATA.parents[1], capture_output=True, text=True
    )
    expected = preprocessor()(["must"])["token_ids"].numpy().tolist()
    assert done.stdout.splitlines()[-1] == str(expected)


def test_config_round_trip():
    layer = preprocessor(sequence_length=7)
    again = BertPreprocessor.from_config(layer.get_config())
    assert again.sequence_length == 7 and again.name == "text"
    assert again.tokenizer.get_config() == layer.tokenizer.get_config()
    assert again.get_config() == layer.get_config()


def test_errors():
    with pytest.raises(
        ValueError, match="must be a BertTokenizer or a Sent.*; got 'vocab.txt'"
    ):
        BertPreprocessor("vocab.txt")
    layer = preprocessor(sequence_length=4)
    with pytest.raises(ValueError, match=r"the shape \(B,\)"):
        layer("a text")
    with pytest.raises(ValueError, match="at least 5 for 2 segment"):
        layer((["a"], ["b"]))
    with pytest.raises(ValueError, match="one or two ragged tensors; got 3"):
        layer((["a"], ["b"], ["c"]))
