"""Known data sets by name: their files, in small imitation, are found and read."""

import json

import pytest

from kbert.tasks.data.known_datasets import (
    KNOWN_DATASETS,
    from_tfds,
    known_dataset,
    known_dataset_files,
)
from kbert.tasks.data.records import fields, read_records
from kbert.tasks.data.tfds import is_tfds

COLUMNS = {
    "glue/sst2": "sentence\tlabel",
    "glue/mrpc": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "glue/stsb": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1"
        "\tsentence2\tscore"
    ),
    "glue/qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "glue/mnli": (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse"
        "\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1"
        "\tsentence2\tlabel1\tgold_label"
    ),
    "glue/qnli": "index\tquestion\tsentence\tlabel",
    "glue/rte": "index\tsentence1\tsentence2\tlabel",
    "glue/wnli": "index\tsentence1\tsentence2\tlabel",
    "nsmc": "id\tdocument\tlabel",
    "korsts": "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2",
    "kornli": "sentence1\tsentence2\tgold_label",
}
COLUMNS["glue/mnli-mm"] = COLUMNS["glue/mnli"]
KLUE = {
    "klue/ynat": {"guid": "ynat-v1_train_00000", "title": "제목", "label": "사회"},
    "klue/sts": {
        "guid": "klue-sts-v1_train_00000",
        "sentence1": "하나",
        "sentence2": "둘",
        "labels": {"label": 3.7, "real-label": 3.714, "binary-label": 1},
    },
    "klue/nli": {
        "guid": "klue-nli-v1_train_00000",
        "premise": "하나",
        "hypothesis": "둘",
        "gold_label": "neutral",
    },
}


def imitate(name, folder):
    """The two files of a data set: one row, which says of each value what it is."""
    known = KNOWN_DATASETS[name]
    folder.mkdir(parents=True)
    for file in (known.train_file, known.dev_file):
        if name in KLUE:
            text = json.dumps([KLUE[name]], ensure_ascii=False, indent=4)
        elif known.header:
            text = "\t".join(f"the {c}" for c in known.header)
        elif name in COLUMNS:
            header = COLUMNS[name]
            row = "\t".join(f'"the {column}' for column in header.split("\t"))
            text = f"{header}\n{row}\n"
        else:
            text = ""
        (folder / file).write_text(text, "utf-8")


@pytest.mark.parametrize("name", KNOWN_DATASETS)
def test_files_are_found_in_the_folder_and_above_it(tmp_path, name):
    known = known_dataset(name)
    folder = tmp_path / known.folder
    imitate(name, folder)
    expected = str(folder / known.train_file), str(folder / known.dev_file)
    assert known_dataset_files(name, tmp_path) == expected
    assert known_dataset_files(name, str(folder)) == expected


@pytest.mark.parametrize("name", [*COLUMNS, "glue/cola"])
def test_columns_of_the_tables(tmp_path, name):
    known = known_dataset(name)
    imitate(name, tmp_path / "files")
    for file in known_dataset_files(name, tmp_path / "files"):
        (record,) = read_records(file, header=known.header)
        columns = (*known.text_columns, known.label_column)
        quote = "" if known.header else '"'  # a lone one is text
        expected = tuple(f"{quote}the {column}" for column in columns)
        assert fields(record, columns, file, 1) == expected


@pytest.mark.parametrize(
    "name, values",
    [
        ("klue/ynat", ("제목", "사회")),
        ("klue/sts", ("하나", "둘", 3.714)),
        ("klue/nli", ("하나", "둘", "neutral")),
    ],
)
def test_columns_of_klue(tmp_path, name, values):
    known = known_dataset(name)
    imitate(name, tmp_path / "files")
    for file in known_dataset_files(name, tmp_path / "files"):
        (record,) = read_records(file)
        columns = (*known.text_columns, known.label_column)
        assert fields(record, columns, file, 1) == values


def test_tasks_metrics_and_files():
    for known in KNOWN_DATASETS.values():
        is_table = known.task in ("classification", "regression")
        assert is_table == bool(known.text_columns) == bool(known.label_column)
    kinds = {name: (b.task, b.metric) for name, b in KNOWN_DATASETS.items()}
    assert kinds["glue/cola"] == ("classification", "mcc")
    assert kinds["glue/stsb"] == kinds["klue/sts"] == ("regression", "pearson")
    assert kinds["klue/ynat"] == ("classification", "macro_f1")
    assert kinds["klue/ner"] == ("tagging", "macro_f1")
    assert kinds["klue/mrc"] == ("question-answering", "exact_match")
    assert kinds["korquad"] == ("question-answering", "korquad_f1")
    assert known_dataset("glue/mnli").dev_file == "dev_matched.tsv"
    assert known_dataset("glue/mnli-mm").dev_file == "dev_mismatched.tsv"
    assert known_dataset("klue/nli").train_file == "klue-nli-v1.1_train.json"
    assert known_dataset("klue/ner").dev_file == "klue-ner-v1.1_dev.tsv"


def test_tensorflow_datasets_has_other_columns():
    known = from_tfds(known_dataset("glue/mnli-mm"))
    assert known.train_file == "tfds:glue/mnli:train"
    assert known.dev_file == "tfds:glue/mnli:validation_mismatched"
    assert known.text_columns == ("premise", "hypothesis")
    assert known.label_column == "label"
    cola = from_tfds(known_dataset("glue/cola"))
    assert (cola.header, cola.text_columns) == ((), ("sentence",))
    assert from_tfds(known_dataset("squad")).label_column == ""
    with pytest.raises(ValueError, match="glue/wnli, .*got klue/nli. Give its files"):
        from_tfds(known_dataset("klue/nli"))


def test_columns_are_those_that_tensorflow_datasets_tells(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    for known in KNOWN_DATASETS.values():
        if known.tfds is None:
            continue
        assert is_tfds(from_tfds(known).dev_file)
        features = tfds.builder(known.tfds.name, data_dir=tmp_path).info.features
        wanted = known.tfds.text_columns
        wanted = (*wanted, "label") if wanted else ("question", "context", "answers")
        assert set(wanted) <= set(features), known.name


@pytest.mark.parametrize(
    "name, message",
    [
        ("glue/sst-2", "got 'glue/sst-2'. Close to it: glue/sst2"),
        ("klue/nil", "Close to it: klue/nli.*All: glue/cola, "),
        ("imdb", "None is close to it. All: glue/cola"),
        ("klue/re", "klue/re is none: relation extraction"),
        ("klue/dp", "klue/dp is none: dependency parsing"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        known_dataset(name)


def test_missing_files_are_named_beside_those_there(tmp_path):
    imitate("klue/nli", tmp_path / "files")
    (tmp_path / "files" / "klue-nli-v1.1_train.json").unlink()
    message = (
        r"klue-nli-v1\.1_train\.json and klue-nli-v1\.1_dev\.json of klue/nli in .*"
        r"files; it holds klue-nli-v1\.1_dev\.json, no klue-nli-v1\.1_train\.json\."
    )
    with pytest.raises(FileNotFoundError, match=message):
        known_dataset_files("klue/nli", tmp_path / "files")
    (tmp_path / "MRPC").mkdir()
    message = "MRPC; it holds nothing, no train.tsv, no dev.tsv. download_glue_data.py"
    with pytest.raises(FileNotFoundError, match=message):
        known_dataset_files("glue/mrpc", tmp_path)
    with pytest.raises(FileNotFoundError, match="directory with the files of nsmc; "):
        known_dataset_files("nsmc", tmp_path / "elsewhere")
