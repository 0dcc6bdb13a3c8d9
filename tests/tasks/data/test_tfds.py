"""TensorFlow Datasets: a dataset built here, read back by name without its code."""

import numpy as np
import pytest

from kbert.tasks.data.records import read_records
from kbert.tasks.data.tfds import is_tfds, with_split

tfds = pytest.importorskip("tensorflow_datasets")

with tfds.core.registered.skip_registration():  # so that only the files remain

    class FilmReviews(tfds.core.GeneratorBasedBuilder):
        """Three reviews to train on, two to test on."""

        name = "film_reviews"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features
            tag = features.ClassLabel(names=["O", "B"])
            return tfds.core.DatasetInfo(
                builder=self,
                features=features.FeaturesDict(
                    {
                        "text": features.Text(),
                        "label": features.ClassLabel(names=["negative", "positive"]),
                        "score": np.float32,
                        "is_short": np.bool_,
                        "tags": features.Sequence(tag),
                        "pieces": features.Sequence(features.Sequence(np.int32)),
                        "answers": features.Sequence(
                            {"text": features.Text(), "start": np.int32, "tag": tag}
                        ),
                        "film": {"title": features.Text(), "year": np.int64},
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {
                "train": self._generate_examples(3),
                "test": self._generate_examples(2),
            }

        def _generate_examples(self, count):
            for i in range(count):
                yield i, review(i)


def review(i):
    return {
        "text": f"글 {i}",
        "label": (-1, 0, 1)[i],
        "score": i / 2,
        "is_short": i > 0,
        "tags": ["O", "B"][:i],
        "pieces": [[7] * j for j in range(i)],
        "answers": [{"text": "글", "start": j, "tag": "B"} for j in range(i)],
        "film": {"title": "영화", "year": 1990 + i},
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfds")
    FilmReviews(data_dir=str(directory)).download_and_prepare()
    return directory


@pytest.fixture(autouse=True)
def data_dir(built, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(built))


def read(source):
    return list(read_records(source))


def test_plain_values():
    records = sorted(read("tfds:film_reviews:train"), key=lambda r: r["text"])
    assert records[2] == {
        "text": "글 2",
        "label": "positive",
        "score": 1.0,
        "is_short": True,
        "tags": ["O", "B"],
        "pieces": [[], [7]],
        "answers": {"text": ["글", "글"], "start": [0, 1], "tag": ["B", "B"]},
        "film": {"title": "영화", "year": 1992},
    }
    assert [r["label"] for r in records] == [None, "negative", "positive"]
    assert records[0]["tags"] == records[0]["pieces"] == []
    kinds = {type(value) for record in records for value in record.values()}
    assert kinds <= {str, float, bool, list, dict, type(None)}


def test_splits_parts_and_versions():
    whole = read("tfds:film_reviews:train")
    assert read("tfds:film_reviews:train") == whole  # in the same order
    assert read("tfds:film_reviews:1.0.0:train") == whole
    assert read("tfds:film_reviews:train[:34%]") == whole[:1]
    assert read("tfds:film_reviews:train[1:]") == whole[1:]
    assert len(read("tfds:film_reviews:test")) == 2
    assert len(read("tfds:film_reviews:train+test")) == 5


def test_a_split_for_sources_without_one():
    assert with_split("tfds:glue/sst2", "train") == "tfds:glue/sst2:train"
    assert with_split("tfds:glue/sst2:2.0.0", "train") == "tfds:glue/sst2:2.0.0:train"
    assert with_split("tfds:glue/sst2:test", "train") == "tfds:glue/sst2:test"
    assert with_split("a/dev.tsv", "train") == "a/dev.tsv"
    assert is_tfds("tfds:glue") and not is_tfds("glue.tsv")


@pytest.mark.parametrize(
    "source, message",
    [
        ("tfds:film_reviews", "a split, one of tfds:film_reviews:train, tfds:film_rev"),
        (
            "tfds:film_reviews:validation",
            "one of the splits tfds:film_reviews:train, tfds:film_reviews:test, .*"
            "Unknown split 'validation'",
        ),
        ("tfds:film_reviews:train[:x]", r"part such as train\[:90%\]; got .*\[:x\]"),
        ("tfds:film_reveiws:train", "'film_reveiws'. Close to it: film_reviews"),
        ("tfds:film_reviews:2.0.0:train", "got .*2.0.0'. .*film_reviews holds 1.0.0"),
        ("tfds:gleu/sst2:train", "'gleu/sst2'. Close to it: glue"),
        ("tfds:zzzzqqq", "'zzzzqqq'. Close to it: none"),
        ("tfds:glue/sst3:train", r"configuration of glue \(cola, sst2, .*'glue/sst3'"),
        ("tfds:glue/sst2:9.0.0:train", "'glue/sst2:9.0.0': .*version 9.0.0, only: "),
        ("tfds:", "Expected tfds:NAME:SPLIT, such as tfds:glue/sst2:train; got"),
        ("tfds:two words:train", "Expected tfds:NAME:SPLIT"),
    ],
)
def test_errors_say_what_there_is(source, message):
    with pytest.raises(ValueError, match=message) as error:
        read(source)
    assert len(str(error.value)) < 500  # TFDS writes 450 lines


def test_a_download_that_fails(monkeypatch):
    def fail(self, **_):
        raise OSError("Name or service not known")

    builder = tfds.core.DatasetBuilder
    monkeypatch.setattr(builder, "download_and_prepare", fail)
    message = r"dataset glue/rte in .*failed: Name or .*t\.load\('glue/rte'\).*DATA_DIR"
    with pytest.raises(FileNotFoundError, match=message):
        read("tfds:glue/rte:train")
