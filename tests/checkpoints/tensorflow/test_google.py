"""Google's TF1 checkpoints: a real one gives transformers' numbers, lists of real ones
map completely, and what is written is what TF1's own code restores."""

import json
import shutil
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kbert.checkpoints.formats import find_checkpoint
from kbert.checkpoints.model_builder import build, variables_of
from kbert.checkpoints.tensorflow import google
from kbert.checkpoints.tensorflow.tensor_bundle import TensorBundle, write_tensors
from kbert.config import BertConfig
from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import BertPretrainer
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.models.token_classifier import BertTokenClassifier
from kbert.registry import kind_of

DATA = Path(__file__).parents[2] / "data"
TINY = DATA / "google_tf1_tiny"
DATA_FILE = "bert_model.ckpt.data-00000-of-00001"
LISTS = json.loads((DATA / "google_tf1_variables.json").read_text("utf-8"))


def made(head="pretrainer", activation="gelu_tanh"):
    backbone = BertBackbone(
        8, 2, 2, 16, 24, activation=activation, max_sequence_length=12
    )
    model = {
        "backbone": lambda: backbone,
        "pretrainer": lambda: BertPretrainer(backbone),
        "text_classifier": lambda: BertTextClassifier(backbone, 3),
        "token_classifier": lambda: BertTokenClassifier(backbone, 5),
        "question_answerer": lambda: BertQuestionAnswerer(backbone),
    }[head]()
    for i, weight in enumerate(variables_of(model).values()):
        weight.assign(np.random.default_rng(i).normal(size=weight.shape))
    return model


def assert_same_weights(model, other):
    assert type(model) is type(other)
    ours, theirs = variables_of(model), variables_of(other)
    assert ours.keys() == theirs.keys()
    for path in ours:
        a, b = (keras.ops.convert_to_numpy(v[path]) for v in (ours, theirs))
        assert np.array_equal(a, b), path


def written(directory, head="pretrainer", change=None, **config):
    """A checkpoint of which variables and config are changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        google.write_checkpoint(made(head), directory, config)
    if change:
        tensors = dict(TensorBundle(directory / "bert_model.ckpt"))
        change(tensors)
        write_tensors(tensors, directory / "bert_model.ckpt")
    return directory


def test_numbers_of_a_real_checkpoint():
    arrays = dict(np.load(DATA / "google_tf1_tiny.npz"))
    inputs = {n: arrays[n] for n in ("token_ids", "segment_ids", "padding_mask")}
    model, report = build(find_checkpoint(TINY))
    assert kind_of(model).head == "pretrainer"
    assert report.format == "Google TF1"
    assert not report.newly_initialised
    positions = np.tile(np.arange(12, dtype="int32"), (3, 1))
    outputs = model(inputs | {"mask_positions": positions})
    outputs |= model.backbone(inputs)
    layers = [model.backbone.embeddings, *model.backbone.blocks]
    hidden = keras.Model(model.backbone.input, [layer.output for layer in layers])
    outputs["hidden_states"] = keras.ops.stack(hidden(inputs))
    # The logits of so small a model are small; nearness is measured by their spread.
    for name, bound in {
        "hidden_states": 2e-5,
        "pooled_output": 1e-6,
        "masked_lm": 1e-6,
        "next_sentence": 1e-7,
    }.items():
        actual = keras.ops.convert_to_numpy(outputs[name])
        assert actual.shape == arrays[name].shape
        assert np.abs(actual - arrays[name]).max() <= bound < arrays[name].std() / 1000


def test_sizes_of_a_real_checkpoint():
    checkpoint = google.read_checkpoint(TINY)
    assert checkpoint.config == BertConfig(
        vocabulary_size=15,
        num_layers=2,
        num_heads=4,
        hidden_dim=4,
        intermediate_dim=16,
        activation="gelu_tanh",
        max_sequence_length=16,
    )
    assert len(checkpoint.names) == 139
    assert checkpoint.ignored("global_step") == "counts the steps of its training"
    slot = "cls/predictions/output_bias/adam_v"
    assert checkpoint.ignored(slot) == "a slot of the optimizer"
    assert checkpoint.ignored("cls/predictions/other") is None


def test_the_next_sentence_head_is_transposed():
    checkpoint = google.read_checkpoint(TINY)
    theirs = checkpoint.read("cls/seq_relationship/output_weights")
    assert theirs.shape == (2, 4)
    model, _ = build(checkpoint)
    kernel = keras.ops.convert_to_numpy(model.next_sentence_head.dense.kernel)
    assert np.array_equal(kernel, theirs.T)


def unfolded(entry):
    """The names and shapes that make_google_golden.py folded."""
    shapes = {}
    for name, shape in entry["variables"].items():
        layers = range(entry["config"]["num_hidden_layers"] if "*" in name else 1)
        shapes |= {name.replace("*", str(i)): tuple(shape) for i in layers}
    slots = [(n, s) for n in shapes if n != "global_step" for s in entry["slots"]]
    return shapes | {f"{name}/{slot}": shapes[name] for name, slot in slots}


def num_parameters(config, has_pooler_and_next_sentence):
    """Of BERT with a masked language model head, by the paper's formulas."""
    d, i, v = config.hidden_dim, config.intermediate_dim, config.vocabulary_size
    tables = v * d + config.max_sequence_length * d + config.num_segments * d + 2 * d
    block = 4 * (d * d + d) + 2 * d * i + i + d + 4 * d
    masked_lm = d * d + 3 * d + v
    rest = d * d + d + 2 * d + 2 if has_pooler_and_next_sentence else 0
    return tables + config.num_layers * block + masked_lm + rest


@pytest.mark.parametrize("name", LISTS)
def test_variables_of_real_checkpoints(name, tmp_path, monkeypatch):
    entry, shapes = LISTS[name], unfolded(LISTS[name])
    assert len(shapes) == entry["count"]

    class Bundle(dict):
        def __init__(self, prefix):
            super().__init__(shapes)
            self.shapes = shapes

    monkeypatch.setattr(google, "TensorBundle", Bundle)
    (tmp_path / "bert_config.json").write_text(json.dumps(entry["config"]))
    (tmp_path / "bert_model.ckpt.index").touch()
    assert google.is_checkpoint(tmp_path)
    checkpoint = google.read_checkpoint(tmp_path)
    assert checkpoint.head == "pretrainer"
    used = {n for row in checkpoint.rows["pretrainer"] for n in row.theirs}
    for variable in checkpoint.names:
        assert (variable in used) != (checkpoint.ignored(variable) is not None)
    is_whole = name != "uer_converted_L12_no_nsp"
    assert sorted(used - set(shapes)) == (
        []
        if is_whole
        else [
            "bert/pooler/dense/bias",
            "bert/pooler/dense/kernel",
            "cls/seq_relationship/output_bias",
            "cls/seq_relationship/output_weights",
        ]
    )
    count = sum(int(np.prod(shapes[n])) for n in used if n in shapes)
    assert count == num_parameters(checkpoint.config, is_whole)


@pytest.mark.parametrize(
    "head", ["backbone", "pretrainer", "text_classifier", "question_answerer"]
)
def test_round_trip_is_exact(tmp_path, head):
    model = made(head)
    google.write_checkpoint(model, tmp_path / "new" / "model")
    checkpoint = find_checkpoint(tmp_path / "new" / "model")
    assert checkpoint.head == head
    read, report = build(checkpoint)
    assert_same_weights(model, read)
    assert not report.ignored
    backbone, other = (getattr(m, "backbone", m) for m in (model, read))
    assert other.get_config() == backbone.get_config()


def test_a_token_classifier_must_be_called_so(tmp_path):
    model = made("token_classifier")
    with pytest.warns(UserWarning, match="read back unless the reader is told"):
        google.write_checkpoint(model, tmp_path)
    checkpoint = google.read_checkpoint(tmp_path)
    assert checkpoint.head == "text_classifier"
    assert checkpoint.head_arguments == {"num_classes": 5, "dropout": 0.1}
    told, report = build(checkpoint, head="token_classifier")
    assert_same_weights(model, told)
    assert not report.newly_initialised and not report.ignored


def test_what_tf1_restores(tmp_path):
    """`Saver.restore` and `init_from_checkpoint`, as Google's scripts call them."""
    model = made("text_classifier")
    google.write_checkpoint(model, tmp_path)
    tf1, prefix = tf.compat.v1, str(tmp_path / "bert_model.ckpt")
    assert tf.train.latest_checkpoint(str(tmp_path)) == prefix
    shapes = dict(tf.train.list_variables(prefix))
    name = "bert/encoder/layer_1/attention/self/value/kernel"
    expected = keras.ops.convert_to_numpy(
        model.backbone.blocks[1].attention.query_key_value.kernel
    )[:, 32:]
    for restore in ("saver", "init_checkpoint"):
        with tf.Graph().as_default(), tf1.Session() as session:
            with tf1.variable_scope("", use_resource=False):
                for variable, shape in shapes.items():
                    tf1.get_variable(variable, shape)
            if restore == "saver":
                tf1.train.Saver().restore(session, prefix)
            else:
                tf1.train.init_from_checkpoint(prefix, {v: v for v in shapes})
                session.run(tf1.global_variables_initializer())
            (value,) = [
                session.run(v) for v in tf1.global_variables() if v.op.name == name
            ]
            assert np.array_equal(value, expected)
    assert shapes["output_weights"] == [3, 16]
    assert shapes["output_bias"] == [3]
    assert shapes["bert/embeddings/token_type_embeddings"] == [2, 16]


def test_config_of_a_written_checkpoint(tmp_path):
    google.write_checkpoint(made(), tmp_path, {"directionality": "bidi"})
    config = json.loads((tmp_path / "bert_config.json").read_text("utf-8"))
    assert config == {
        "vocab_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 12,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "hidden_act": "gelu",
        "directionality": "bidi",
    }
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "bert_config.json",
        DATA_FILE,
        "bert_model.ckpt.index",
        "checkpoint",
    ]


def test_gelu_by_erf_is_told_of(tmp_path):
    with pytest.warns(UserWarning, match="by tanh, up to 4.7e-4 different"):
        google.write_checkpoint(made(activation="gelu"), tmp_path)
    assert google.read_checkpoint(tmp_path).config.activation == "gelu_tanh"


def test_an_epsilon_is_told_of(tmp_path):
    model = BertBackbone(8, 1, 2, 16, 24, "relu", layer_norm_epsilon=1e-5)
    with pytest.warns(
        UserWarning, match="norms with epsilon 1e-12, the model with 1e-05"
    ):
        google.write_checkpoint(model, tmp_path)


def test_an_activation_that_google_has_not(tmp_path):
    with pytest.raises(ValueError, match="gelu_tanh, relu, tanh; the model's is silu"):
        google.write_checkpoint(made(activation="silu"), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_paths(tmp_path):
    written(tmp_path)
    for path in (
        tmp_path,
        str(tmp_path),
        tmp_path / "bert_model.ckpt",
        tmp_path / "bert_model.ckpt.index",
        tmp_path / DATA_FILE,
    ):
        assert google.is_checkpoint(path)
        assert google.read_checkpoint(path).path == tmp_path / "bert_model.ckpt"


def test_several_checkpoints(tmp_path):
    written(tmp_path)
    for name in ("model.ckpt-10", "model.ckpt-20"):
        for file in ("index", "data-00000-of-00001"):
            shutil.copy(
                tmp_path / f"bert_model.ckpt.{file}", tmp_path / f"{name}.{file}"
            )
    text = 'model_checkpoint_path: "/gone/model.ckpt-10"\n'
    (tmp_path / "checkpoint").write_text(text)
    assert google.read_checkpoint(tmp_path).path.name == "model.ckpt-10"
    (tmp_path / "checkpoint").unlink()
    assert google.read_checkpoint(tmp_path).path.name == "bert_model.ckpt"
    (tmp_path / "bert_model.ckpt.index").unlink()
    assert google.is_checkpoint(tmp_path)
    message = "Expected one checkpoint in .*; there are model.ckpt-10, model.ckpt-20"
    with pytest.raises(ValueError, match=message):
        google.read_checkpoint(tmp_path)
    path = tmp_path / "model.ckpt-20"
    assert google.read_checkpoint(path).path == path


def test_index_without_data(tmp_path):
    (written(tmp_path) / DATA_FILE).unlink()
    checkpoint = google.read_checkpoint(tmp_path)
    assert "bert/pooler/dense/kernel" in checkpoint.names
    message = rf"Expected the numbers of .*; {DATA_FILE} is missing: half a download\?"
    with pytest.raises(FileNotFoundError, match=message):
        build(checkpoint)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_truncated_data(tmp_path, size):
    file = written(tmp_path) / DATA_FILE
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ValueError, match="damaged .*Copy or download it again"):
        build(google.read_checkpoint(tmp_path))


@pytest.mark.parametrize("size", [0, 100, 1000])
def test_truncated_index(tmp_path, size):
    file = written(tmp_path) / "bert_model.ckpt.index"
    file.write_bytes(file.read_bytes()[:size])
    assert google.is_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="Expected the index of a checkpoint.*damaged"):
        google.read_checkpoint(tmp_path)


def test_a_changed_number_is_noticed(tmp_path):
    file = written(tmp_path) / DATA_FILE
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="damaged .*Checksum does not match"):
        build(google.read_checkpoint(tmp_path))


def test_weights_without_config(tmp_path):
    (written(tmp_path) / "bert_config.json").unlink()
    with pytest.raises(FileNotFoundError, match="Expected bert_config.json beside"):
        google.read_checkpoint(tmp_path)


def test_config_without_weights(tmp_path):
    shutil.copy(TINY / "bert_config.json", tmp_path)
    assert google.is_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Expected the weights.*no \*.index"):
        google.read_checkpoint(tmp_path)


def test_nothing(tmp_path):
    assert not google.is_checkpoint(tmp_path)
    assert not google.is_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"hidden_act": "swish"}, "one of gelu, relu, tanh; .* says 'swish'"),
        ({"embedding_size": 8}, "embedding_size is 8, hidden_size 16: an ALBERT"),
        ({"num_attention_heads": 3}, "hidden_dim=16, num_heads=3"),
    ],
)
def test_a_config_of_something_else(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        google.read_checkpoint(written(tmp_path, **fields))


def test_a_config_that_is_not_of_a_bert(tmp_path):
    file = written(tmp_path) / "bert_config.json"
    for text, message in (("[]", "no vocab_size"), ("{", "Expected JSON in")):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            google.read_checkpoint(tmp_path)


def test_absent_fields_take_the_defaults_of_googles_code(tmp_path):
    (tmp_path / "bert_config.json").write_text('{"vocab_size": 100}')
    config = google.read_config(tmp_path)
    assert config == BertConfig(100, activation="gelu_tanh", num_segments=16)


@pytest.mark.parametrize(
    "name, message",
    [
        ("electra/embeddings/word_embeddings", "are of ELECTRA"),
        ("bert/encoder/transformer/group_0/x", "are of ALBERT"),
        ("model/transformer/layer_0/x", "are of XLNet"),
        ("dense/kernel", "with bert/embeddings/word_embeddings among.*are dense/kern"),
    ],
)
def test_another_architecture(tmp_path, name, message):
    def replace(tensors):
        tensors.clear()
        tensors[name] = np.zeros(2, "float32")

    with pytest.raises(ValueError, match=message):
        google.read_checkpoint(written(tmp_path, change=replace))


def test_without_pooler_and_next_sentence(tmp_path):
    def remove(tensors):
        for name in list(tensors):
            if name.startswith(("bert/pooler", "cls/seq")):
                del tensors[name]

    checkpoint = google.read_checkpoint(written(tmp_path, change=remove))
    with pytest.warns(
        UserWarning, match="no weights for pooler and next_sentence_head"
    ):
        model, report = build(checkpoint)
    assert kind_of(model).head == "pretrainer"
    assert report.newly_initialised == (
        "pooler/kernel",
        "pooler/bias",
        "next_sentence_head/dense/kernel",
        "next_sentence_head/dense/bias",
    )


@pytest.mark.parametrize(
    "slots", [("adam_m", "adam_v"), ("Adam", "Adam_1"), ("lamb_m",)]
)
def test_slots_of_optimizers(tmp_path, slots):
    def add(tensors):
        for name in list(tensors):
            tensors |= {f"{name}/{slot}": tensors[name] for slot in slots}
        tensors["global_step"] = np.int64(20)
        tensors["beta1_power"] = np.float32(0.9)

    _, report = build(google.read_checkpoint(written(tmp_path, change=add)))
    assert len(report.ignored) == len(slots) * len(report.used) + 2


def test_an_unknown_variable_is_named(tmp_path):
    checkpoint = google.read_checkpoint(
        written(tmp_path, change=lambda tensors: tensors.update(x=np.zeros(1, "f4")))
    )
    with pytest.raises(ValueError, match="1 have no place in it: x"):
        build(checkpoint)


def test_weights_and_config_of_two_models(tmp_path):
    checkpoint = google.read_checkpoint(written(tmp_path, vocab_size=9))
    with pytest.raises(ValueError, match=r"Expected shape \(9, 16\) .* \(8, 16\)"):
        build(checkpoint)
