"""Tag schemes: recognised, converted to BIO, repaired and counted."""

import numpy as np
import pytest

from kbert.metrics.entities import entities_of
from kbert.tasks.tagging.tag_schemes import TagScheme, labels_of, recognised, tags_of

ENTITIES = [("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 5), ("PER", 6, 9)]


@pytest.mark.parametrize(
    "scheme, tags",
    [
        ("BIO", "B-PER I-PER O B-LOC B-LOC O B-PER I-PER I-PER"),
        ("IOB1", "I-PER I-PER O I-LOC B-LOC O I-PER I-PER I-PER"),
        ("BIOES", "B-PER E-PER O S-LOC S-LOC O B-PER I-PER E-PER"),
    ],
)
def test_schemes_are_written_recognised_and_read(scheme, tags):
    assert tags_of(ENTITIES, 9, scheme) == tags.split()
    found = recognised([tags.split()])
    assert found == TagScheme("prefix", scheme)
    bio, broken = found.to_bio(tags.split())
    assert (bio, broken) == (tags_of(ENTITIES, 9), [])


@pytest.mark.parametrize(
    "tags, form, name",
    [
        ("PER-B PER-I O LOC-B", "suffix", "BIO"),
        ("PER_B PER_I - LOC_B", "suffix", "BIO"),  # as in Naver's contest
        ("B_PER I_PER O B_LOC", "prefix", "BIO"),
        ("B-PER L-PER O U-LOC", "prefix", "BIOES"),  # BILOU
        ("B-PER E-PER O S-LOC", "prefix", "BIOES"),
    ],
)
def test_other_spellings(tags, form, name):
    scheme = recognised([tags.split()])
    assert (scheme.form, scheme.name) == (form, name)
    assert scheme.to_bio(tags.split()) == (["B-PER", "I-PER", "O", "B-LOC"], [])


def test_bmes():
    tags = ["B-PER", "M-PER", "E-PER", "O", "S-LOC"]
    scheme = recognised([tags])
    bio, broken = scheme.to_bio(tags)
    assert bio == ["B-PER", "I-PER", "I-PER", "O", "B-LOC"]
    assert broken == []


@pytest.mark.parametrize(
    "tags",
    ["NOUN VERB X O", "NNG+JKO VV+EP+EF SF", "-LRB- NN PRP$ . ,", "LABEL_0 LABEL_1"],
)
def test_plain_tags_stay(tags):
    scheme = recognised([tags.split()])
    assert scheme.form == "plain"
    assert scheme.to_bio(tags.split()) == (tags.split(), [])


def test_no_entity_is_no_plain_tag():
    assert recognised([["O", "O"], []]) == TagScheme("prefix", "BIO")


@pytest.mark.parametrize(
    "scheme, tags, bio, broken",
    [
        ("BIO", "O I-PER I-PER", "O B-PER I-PER", [1]),
        ("BIO", "B-PER I-LOC I-LOC", "B-PER B-LOC I-LOC", [1]),
        ("BIO", "B-PER X-PER O", "B-PER I-PER O", [1]),  # an unknown letter
        ("BIO", "O PER PER", "O B-PER I-PER", [1, 2]),  # none at all
        ("IOB1", "I-PER O B-PER", "B-PER O B-PER", [2]),
        ("BIOES", "E-PER O B-LOC", "B-PER O B-LOC", [0, 2]),
        ("BIOES", "B-PER I-PER O", "B-PER I-PER O", [1]),
    ],
)
def test_what_breaks_a_scheme(scheme, tags, bio, broken):
    found = TagScheme("prefix", scheme).to_bio(tags.split())
    assert found == (bio.split(), broken)


def test_repair_keeps_conllevals_entities():
    rng = np.random.default_rng(0)
    draw = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("PER", "LOC"))]
    for _ in range(300):
        tags = list(map(str, rng.choice(draw, rng.integers(10))))
        for name in ("BIO", "IOB1", "BIOES"):
            bio, _ = TagScheme("prefix", name).to_bio(tags)
            assert entities_of(bio) == entities_of(tags)
            assert TagScheme("prefix").to_bio(bio) == (bio, [])


def test_a_few_broken_tags_do_not_change_the_scheme():
    right = ["B-PER", "I-PER", "O"]
    broken = ["I-PER", "I-PER", "O"]
    assert recognised([right] * 5 + [broken] * 4).name == "BIO"
    assert recognised([right] * 4 + [broken] * 5).name == "IOB1"


def test_labels():
    assert labels_of({"O", "B-PER", "I-LOC"}) == (
        "O",
        "B-LOC",
        "B-PER",
        "I-LOC",
        "I-PER",
    )
    assert labels_of(["VERB", "NOUN", "X"]) == ("NOUN", "VERB", "X")
    assert labels_of(["VERB", "O"]) == ("O", "VERB")
    assert labels_of([]) == ("O",)
