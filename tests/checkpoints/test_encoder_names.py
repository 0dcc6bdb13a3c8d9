"""The encoder among the names of a file: found behind any prefix, never guessed."""

import pytest

from kbert.checkpoints.encoder_names import architecture_of, encoder_names

TABLE = "embeddings.word_embeddings.weight"
KERNEL = "encoder.layer.0.output.dense.weight"


@pytest.mark.parametrize(
    "prefix",
    [
        *["", "bert.", "module.", "_orig_mod.", "model.", "module.bert."],
        *["encoder.bert.", "module._orig_mod.bert.", "bert._orig_mod.", "a.b.c.bert."],
        *[
            "backbone.",
            "encoder.",
            "model.text_encoder.",
            "_forward_module.model.bert.",
        ],
    ],
)
def test_any_prefix(prefix):
    found = encoder_names([prefix + TABLE, prefix + KERNEL])
    assert found.encoder == {
        prefix + TABLE: f"bert.{TABLE}",
        prefix + KERNEL: f"bert.{KERNEL}",
    }
    assert (found.around, found.beside, found.prefix) == ({}, (), prefix)


def test_wrappers_within_the_encoder():
    name = "bert.encoder.layer.0._checkpoint_wrapped_module.output.LayerNorm.gamma"
    found = encoder_names([f"bert.{TABLE}", name])
    assert found.encoder[name] == "bert.encoder.layer.0.output.LayerNorm.weight"


@pytest.mark.parametrize(
    "prefix, head, is_known",
    [
        ("bert.", "classifier.bias", True),
        ("", "classifier.bias", True),
        ("module.bert.", "module.classifier.bias", True),
        ("module.bert.", "classifier.bias", True),  # a wrapper is no level
        ("encoder.bert.", "classifier.bias", False),
        ("backbone.", "classifier.bias", False),  # no class of transformers
        ("encoder.", "encoder.classifier.bias", None),  # inside it
    ],
)
def test_heads_are_known_around_an_encoder_called_bert(prefix, head, is_known):
    found = encoder_names([prefix + TABLE, head])
    assert (
        found.known.get(head)
        == {
            True: "classifier.bias",
            False: None,
            None: "bert.classifier.bias",
        }[is_known]
    )
    assert (head in found.beside) == (is_known is False)


def test_two_encoders_are_both_named():
    names = [f"query_encoder.bert.{TABLE}", f"doc_encoder.bert.{TABLE}"]
    message = (
        r'Expected one encoder; there are 2, under "doc_encoder\.bert\." and under '
        r'"query_encoder\.bert\."\. Save the one'
    )
    with pytest.raises(ValueError, match=message):
        encoder_names(names)
    with pytest.raises(ValueError, match='under no prefix and under "teacher/"'):
        encoder_names([f"{p}embeddings/word_embeddings" for p in ("", "teacher/")], "/")


@pytest.mark.parametrize("name", ["roberta", "module.electra", "model.xlm_roberta"])
def test_other_architectures_name_their_tensors_alike(name):
    with pytest.raises(ValueError, match=f'under "{name}." are of .*another archi'):
        encoder_names([f"{name}.{TABLE}", f"{name}.{KERNEL}"])


@pytest.mark.parametrize(
    "name, architecture",
    [
        ("BertForMaskedLM", None),
        ("JointBERT", None),
        ("MultilingualBertCRF", None),  # in which "albert" stands
        ("KoBertTagger", None),
        ("TFRobertaForTokenClassification", "roberta"),
        ("XLMRobertaModel", "xlm-roberta"),
        ("DebertaV2ForSequenceClassification", "deberta-v2"),
        ("FlaxAlbertModel", "albert"),
        ("ModernBertForMaskedLM", "modernbert"),
    ],
)
def test_architectures_by_the_names_of_classes(name, architecture):
    assert architecture_of(name) == architecture
