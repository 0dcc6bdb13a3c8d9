"""tf_model.h5: only numbers that lie in the file itself are read."""

import foreign_files as files
import h5py
import keras
import numpy as np
import pytest
from foreign_reference import reference

from kbert.checkpoints.huggingface.tensorflow_file import TensorFlowFile, torch_name
from kbert.checkpoints.load_and_save import load

NAME = "tf_bert_model/bert/pooler/dense/kernel:0"


@pytest.fixture
def file(tmp_path):
    """A layer's group with one kernel, (2, 3)."""
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as opened:
        group = opened.create_group("bert")
        group.attrs["weight_names"] = [NAME.encode()]
        group.create_dataset(NAME, data=np.arange(6, dtype="float32").reshape(2, 3))
    return path


def changed(path, change):
    with h5py.File(path, "a") as opened:
        change(opened["bert"])
    return path


def test_kernels_are_given_as_pytorch_has_them(file):
    (name,) = tensors = TensorFlowFile(file)
    assert name == "tf_bert_model.bert.pooler.dense.weight"
    assert tensors[name].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert name in tensors and "x" not in tensors and len(tensors) == 1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("m/bert/embeddings/position_embeddings/embeddings:0", "position_embeddings"),
        ("m/bert/embeddings/word_embeddings/weight:0", "word_embeddings"),
        ("m/bert/embeddings/token_type_embeddings/weight:0", "token_type_embeddings"),
    ],
)
def test_tables_of_all_versions(name, expected):
    assert torch_name(name) == f"m.bert.embeddings.{expected}.weight"


@pytest.mark.parametrize("size", [0, 8, 700])
def test_a_truncated_file(file, size):
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"Expected a whole HDF5 file in .*tf_model"):
        TensorFlowFile(file)


@pytest.mark.parametrize(
    "link", [h5py.SoftLink("/bert"), h5py.ExternalLink("/etc/passwd", "/x")]
)
def test_links_are_not_followed(file, link):
    changed(file, lambda group: group.__setitem__("elsewhere", link))
    with pytest.raises(ValueError, match="/bert/elsewhere is a link to something else"):
        TensorFlowFile(file)


def test_a_group_that_holds_itself(file):
    changed(file, lambda group: group.__setitem__("again", group))
    with pytest.raises(ValueError, match="groups lie in groups without an end"):
        TensorFlowFile(file)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"data": [b"x"], "dtype": h5py.special_dtype(vlen=bytes)}, "Expected numbers"),
        ({"data": np.void(b"xyz")}, "Expected numbers in /bert/x of"),
        ({"shape": (1 << 40,), "dtype": "f4", "chunks": (1,)}, "0 bytes of 4398046511"),
        ({"data": np.zeros(9999), "compression": "gzip"}, "uncompressed, as Keras"),
        (
            {"shape": (3,), "dtype": "f4", "external": [("/etc/passwd", 0, 12)]},
            "Expected the tensor /bert/x in .* itself; it lies in another file",
        ),
    ],
)
def test_what_is_no_tensor_of_the_file(file, options, message):
    changed(file, lambda group: group.create_dataset("x", **options))
    with pytest.raises(ValueError, match=message):
        TensorFlowFile(file)


KINDS = {
    "BertModel": reference(),
    "BertForPreTraining": reference("BertForPreTraining"),
    "BertForMaskedLM": reference("BertForMaskedLM"),
    "BertForNextSentencePrediction": reference("BertForPreTraining"),
    "BertForSequenceClassification": reference(
        "BertForSequenceClassification", num_labels=3
    ),
    "BertForTokenClassification": reference("BertForTokenClassification", num_labels=5),
    "BertForQuestionAnswering": reference("BertForQuestionAnswering"),
    "BertForMultipleChoice": reference("BertForSequenceClassification", num_labels=1),
}


@pytest.mark.filterwarnings("ignore:.*has no weights for")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_weights_of_its_twin_in_pytorch(kind, tmp_path):
    made, prefix = KINDS[kind], "bert." if kind == "BertModel" else ""
    arrays = made.tensors(prefix)
    if kind == "BertForNextSentencePrediction":
        arrays = {n: a for n, a in arrays.items() if "predictions" not in n}
    for name in ("tensorflow", "pytorch"):
        config = made.config(architectures=[kind])
        files.write_json(tmp_path / name / "config.json", config)
    files.write_safetensors(tmp_path / "pytorch" / "model.safetensors", arrays)
    weights = files.of_transformers_tf(arrays)
    files.write_h5(tmp_path / "tensorflow" / "tf_model.h5", weights, "tf_bert_1")
    models = []
    for name in ("tensorflow", "pytorch"):
        keras.utils.set_random_seed(0)  # of heads that are not there
        models.append(load(tmp_path / name))
    ours, theirs = models
    assert type(ours) is type(theirs)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.array_equal(one, other)
