"""sentence-transformers' directories: its own vectors, in Python and in the graph."""

import shutil

import foreign_files as files
import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

import kbert
from kbert.checkpoints.huggingface.sentence_transformers import read_text_vectors
from kbert.checkpoints.local_path import local_path
from kbert.commands.export import words_on_vectors
from kbert.export.servable import load_servable
from kbert.export.served_model import ServedModel

TEXTS = ("hello world, the movies.", "", "a movie", "the cafe " * 20)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A directory of a BERT alone, random."""
    keras.utils.set_random_seed(5)
    backbone = kbert.BertBackbone(
        len(files.TOKENS), 2, 2, 16, 24, max_sequence_length=24, initializer_range=0.4
    )
    directory = tmp_path_factory.mktemp("bert") / "bert"
    tokenizer = kbert.ReferenceTokenizer(files.TOKENS, lowercase=True)
    return kbert.save(backbone, directory, tokenizer)


@pytest.fixture
def directory(bert, tmp_path):
    return shutil.copytree(bert, tmp_path / "model")


def write(directory, names=("Transformer", "Pooling"), pooling=None, length=None):
    files.write_sentence_modules(directory, names)
    config = pooling or {"pooling_mode_mean_tokens": True}
    files.write_json(directory / "1_Pooling" / "config.json", config)
    if length:
        settings = {"max_seq_length": length, "do_lower_case": False}
        files.write_json(directory / "sentence_bert_config.json", settings)


def embed(directory, **options):
    model, tokenizer = kbert.load(directory), kbert.load_tokenizer(directory)
    return kbert.embed(model, tokenizer, TEXTS, **options)


def theirs(directory):
    name = "sentence_transformers"
    module = pytest.importorskip(name, reason="sentence-transformers is not installed")
    return module.SentenceTransformer(str(directory), device="cpu")


LEGACY = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@pytest.mark.parametrize(
    "pooling, length",
    [
        *(({flag: True}, 7) for flag in LEGACY.values()),
        (dict.fromkeys(LEGACY.values(), True), None),
        ({"pooling_mode": ["mean", "cls"]}, 12),
    ],
)
def test_vectors_are_those_of_sentence_transformers(directory, pooling, length):
    pooling = {"word_embedding_dimension": 16} | pooling
    write(directory, ("Transformer", "Pooling", "Normalize"), pooling, length)
    reference = theirs(directory).encode(list(TEXTS))
    np.testing.assert_allclose(embed(directory), reference, atol=1e-5)
    if length == 7:  # the graph computes by the same formulas: two are enough
        return
    found = served(directory)
    np.testing.assert_allclose(found["embedding"], reference, atol=1e-5)
    assert found["truncated"].numpy().tolist() == [False, False, False, True]


def served(directory):
    """What a SavedModel of the directory answers."""
    functions = ServedModel(load_servable(str(directory))).functions()
    return functions["embed"](tf.constant(TEXTS))


@pytest.mark.parametrize("include_prompt", [True, False])
def test_prompts(directory, include_prompt):
    pooling = {"word_embedding_dimension": 16, "pooling_mode_weightedmean_tokens": True}
    write(directory, pooling=pooling | {"include_prompt": include_prompt})
    prompts = {"query": "hello the: ", "passage": "a "}
    config = {"prompts": prompts, "default_prompt_name": "query"}
    files.write_json(directory / "config_sentence_transformers.json", config)
    reference = theirs(directory).encode(list(TEXTS))
    np.testing.assert_allclose(embed(directory), reference, atol=1e-5)
    np.testing.assert_allclose(served(directory)["embedding"], reference, atol=1e-5)
    vectors = read_text_vectors(directory)
    assert (vectors.prompt, dict(vectors.prompts)) == ("hello the: ", prompts)


def test_saved_again_they_are_kept(directory, tmp_path):
    rng = np.random.default_rng(0)
    write(
        directory,
        ("Transformer", "Pooling", "Dense", "Dropout", "Normalize"),
        {"word_embedding_dimension": 16, "pooling_mode": ["mean", "cls"]},
        9,
    )
    arrays = {"linear.weight": rng.normal(size=(8, 32)).astype("f4")}
    settings = {"in_features": 32, "out_features": 8, "bias": False}
    settings["activation_function"] = "torch.nn.modules.linear.Identity"
    files.write_json(directory / "2_Dense" / "config.json", settings)
    save_file(arrays, directory / "2_Dense" / "model.safetensors")
    files.write_json(directory / "3_Dropout" / "config.json", {"dropout": 0.1})
    own = embed(directory)
    assert own.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, rtol=1e-6)
    model, tokenizer = kbert.load(directory), kbert.load_tokenizer(directory)
    kbert.save(model, tmp_path / "again", tokenizer)
    assert np.array_equal(embed(tmp_path / "again"), own)
    kbert.convert(str(directory), "huggingface", str(tmp_path / "converted"))
    assert np.array_equal(embed(tmp_path / "converted"), own)
    # A head on it is another model.
    head = kbert.BertTextClassifier(model, 2)
    kbert.save(head, tmp_path / "classifier", tokenizer)
    assert not (tmp_path / "classifier" / "modules.json").exists()
    reference = theirs(tmp_path / "again").encode(list(TEXTS))
    np.testing.assert_allclose(own, reference, atol=1e-5)


def test_the_callers_options_rule_and_are_said(directory):
    write(directory, ("Transformer", "Pooling", "Normalize"), {LEGACY["cls"]: True})
    states = [
        features["hidden_states"][0]
        for features in kbert.extract_features(
            kbert.load(directory), kbert.load_tokenizer(directory), TEXTS
        )
    ]
    means = np.stack([rows.mean(axis=0) for rows in states])
    found = embed(directory, pooling="mean", normalize=False)
    np.testing.assert_allclose(found, means, atol=1e-5)
    first = np.stack([rows[0] for rows in states])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(embed(directory), first, atol=1e-5)
    np.testing.assert_allclose(served(directory)["embedding"], first, atol=1e-5)
    servable = load_servable(str(directory))
    assert servable.name == "model"
    (said,) = words_on_vectors(servable.model, None, None)
    assert said == "embed: cls, scaled to the length 1, as the directory says."
    (said,) = words_on_vectors(servable.model, "mean", None)
    assert said == (
        "embed: mean, scaled to the length 1, as asked for; the directory says cls, "
        "scaled to the length 1."
    )


def test_texts_lower_cased_before_a_cased_tokenizer(directory):
    write(directory)
    settings = {"max_seq_length": 9, "do_lower_case": True}
    files.write_json(directory / "sentence_bert_config.json", settings)
    files.write_json(directory / "tokenizer_config.json", {"do_lower_case": False})
    tokenizer = kbert.load_tokenizer(directory)
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (True, False)
    assert not kbert.load_tokenizer(directory, lowercase=False).lowercase
    reference = kbert.load_reference_tokenizer(directory)
    assert (reference.lowercase, reference.strip_accents) == (True, False)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"names": ("Transformer", "Pooling", "LSTM")}, "does not compute LSTM there"),
        ({"names": ("Transformer", "Normalize")}, "names Transformer, Normalize, whic"),
        ({"names": ("CLIPModel", "Pooling")}, "it names CLIPModel, Pooling"),
        ({"pooling": {"pooling_mode": "median"}}, r"it says \['median'\]"),
    ],
)
def test_what_kbert_does_not_compute(directory, change, message):
    write(directory, **change)
    with pytest.raises(ValueError, match=message):
        read_text_vectors(directory)
    with pytest.warns(UserWarning, match="own vectors of texts are not computed"):
        assert kbert.load(directory).text_vectors is None


def test_foreign_code_and_foreign_places(directory):
    modules = [{"path": "", "type": "custom_st.Transformer"}]
    files.write_json(directory / "modules.json", modules)
    with pytest.raises(ValueError, match="custom_st.Transformer is code of its own"):
        read_text_vectors(directory)
    for path in ("../elsewhere", "/etc"):
        modules[0] = {"path": path, "type": "sentence_transformers.models.Transformer"}
        files.write_json(directory / "modules.json", modules)
        with pytest.raises(ValueError, match=f"it names '{path}', elsewhere"):
            local_path(directory)
    files.write_json(directory / "modules.json", {"path": ""})
    with pytest.raises(ValueError, match=r"Expected a list of modules.*modules\.json"):
        local_path(directory)
