"""What a run keeps about itself."""

import hashlib

from kbert.disk.provenance import command_of, data_facts, versions


def test_the_command_that_repeats_it():
    arguments = {
        "task": "tagging",
        "train": "my train.tsv",
        "epochs": 5,
        "text_column": ["a", "b"],
        "stride": None,
        "from_scratch": True,
        "overwrite": False,
    }
    assert command_of("finetune", arguments, ("task",)) == (
        "kbert finetune tagging --train 'my train.tsv' --epochs 5 --text-column a b "
        "--from-scratch"
    )


def test_data_facts(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"text\n")
    facts = data_facts(str(tmp_path / "a.tsv"), 7)
    assert facts["sha256"] == hashlib.sha256(b"text\n").hexdigest()
    assert (facts["bytes"], facts["num_examples"]) == (5, 7)
    assert data_facts("tfds:glue/sst2:train", 3) == {
        "source": "tfds:glue/sst2:train",
        "num_examples": 3,
    }


def test_versions():
    found = versions()
    assert found["python"].count(".") == 2
    assert found["tensorflow"].startswith("2.")
