"""The field's data sets by name: their files, columns and metrics.

GLUE (gluebenchmark.com), KLUE (klue-benchmark.com) and other Korean ones, as their
publishers' archives hold them. Nothing is downloaded here.

    >>> known_dataset("klue/nli").text_columns
    ('premise', 'hypothesis')
"""

import dataclasses
import difflib
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class TfdsColumns:
    """The same data set in TensorFlow Datasets, whose columns have other names.

    Attributes:
        name: without "tfds:".
        text_columns: one, or two for pairs; none where questions are asked.
        dev_split: the training split is "train" and the label's column "label" in all.
    """

    name: str
    text_columns: tuple[str, ...]
    dev_split: str = "validation"


@dataclasses.dataclass(frozen=True)
class KnownDataset:
    """What a training run has to know of a data set.

    Attributes:
        name: such as "glue/sst2".
        task: "classification", "regression", "tagging" or "question-answering".
        metric: the one that is published, by its name in the task's scores.
        folder: of the archive, with the two files in it.
        train_file: with labels.
        dev_file: with labels too; published test files have none, as a rule.
        text_columns: of a table: one, or two for pairs.
        label_column: of a table; labels are taken as they stand in the file.
        header: the columns of a table that has no header itself.
        tfds: where TensorFlow Datasets has it.
        note: what to mind.
    """

    name: str
    task: str
    metric: str
    folder: str
    train_file: str
    dev_file: str
    text_columns: tuple[str, ...] = ()
    label_column: str = ""
    header: tuple[str, ...] = ()
    tfds: TfdsColumns | None = None
    note: str = ""


def _glue(name, folder, text_columns, label_column="label", **others):
    return KnownDataset(
        **{
            "name": f"glue/{name}",
            "task": "classification",
            "metric": "accuracy",
            "folder": folder,
            "train_file": "train.tsv",
            "dev_file": "dev.tsv",
            "text_columns": text_columns,
            "label_column": label_column,
            "tfds": TfdsColumns(f"glue/{name}", text_columns),
        }
        | others
    )


def _klue(name, task, metric, file, suffix, **others):
    return KnownDataset(
        name=f"klue/{name}",
        task=task,
        metric=metric,
        folder=f"{file}-v1.1",
        train_file=f"{file}-v1.1_train.{suffix}",
        dev_file=f"{file}-v1.1_dev.{suffix}",
        **others,
    )


_PAIR = ("sentence1", "sentence2")
_NLI_PAIR = ("premise", "hypothesis")

_ALL = (
    _glue(
        "cola",
        "CoLA",
        ("sentence",),
        metric="mcc",
        header=("source", "label", "mark", "sentence"),
        note="The test file, unlike these two, has a header: index, sentence.",
    ),
    _glue("sst2", "SST-2", ("sentence",)),
    _glue(
        "mrpc",
        "MRPC",
        ("#1 String", "#2 String"),
        "Quality",
        tfds=TfdsColumns("glue/mrpc", _PAIR),
        note=(
            "download_glue_data.py makes the two files out of msr_paraphrase_train.txt "
            "(same columns, 4,076 pairs) and the list mrpc_dev_ids.tsv."
        ),
    ),
    _glue("stsb", "STS-B", _PAIR, "score", task="regression", metric="pearson"),
    _glue(
        "qqp",
        "QQP",
        ("question1", "question2"),
        "is_duplicate",
        note=(
            "Take QQP-clean.zip: in QQP.zip line breaks within questions tear a few "
            "rows apart. Delete those lines; other readers leave them out."
        ),
    ),
    _glue(
        "mnli",
        "MNLI",
        _PAIR,
        "gold_label",
        dev_file="dev_matched.tsv",
        tfds=TfdsColumns("glue/mnli", _NLI_PAIR, "validation_matched"),
    ),
    _glue(
        "mnli-mm",
        "MNLI",
        _PAIR,
        "gold_label",
        dev_file="dev_mismatched.tsv",
        tfds=TfdsColumns("glue/mnli", _NLI_PAIR, "validation_mismatched"),
    ),
    _glue("qnli", "QNLI", ("question", "sentence")),
    _glue("rte", "RTE", _PAIR),
    _glue(
        "wnli",
        "WNLI",
        _PAIR,
        note="Sentences that both files share mostly have opposite labels there.",
    ),
    _klue(
        "ynat",
        "classification",
        "macro_f1",
        "ynat",
        "json",
        text_columns=("title",),
        label_column="label",
    ),
    _klue(
        "sts",
        "regression",
        "pearson",
        "klue-sts",
        "json",
        text_columns=_PAIR,
        label_column="labels.real-label",
    ),
    _klue(
        "nli",
        "classification",
        "accuracy",
        "klue-nli",
        "json",
        text_columns=_NLI_PAIR,
        label_column="gold_label",
    ),
    _klue("ner", "tagging", "macro_f1", "klue-ner", "tsv"),
    _klue(
        "mrc",
        "question-answering",
        "exact_match",
        "klue-mrc",
        "json",
        note="Some questions have no answer. KLUE reports ROUGE-W as well.",
    ),
    KnownDataset(
        name="nsmc",
        task="classification",
        metric="accuracy",
        folder="nsmc",
        train_file="ratings_train.txt",
        dev_file="ratings_test.txt",
        text_columns=("document",),
        label_column="label",
        note=(
            "There is no dev file: choose by rows held out of the training file, and "
            "keep the test file for the end."
        ),
    ),
    KnownDataset(
        name="korsts",
        task="regression",
        metric="spearman",
        folder="KorSTS",
        train_file="sts-train.tsv",
        dev_file="sts-dev.tsv",
        text_columns=_PAIR,
        label_column="score",
    ),
    KnownDataset(
        name="kornli",
        task="classification",
        metric="accuracy",
        folder="KorNLI",
        train_file="multinli.train.ko.tsv",
        dev_file="xnli.dev.ko.tsv",
        text_columns=_PAIR,
        label_column="gold_label",
        note="Published figures also train on snli_1.0_train.ko.tsv.",
    ),
    KnownDataset(
        name="korquad",
        task="question-answering",
        metric="korquad_f1",
        folder="korquad",
        train_file="KorQuAD_v1.0_train.json",
        dev_file="KorQuAD_v1.0_dev.json",
    ),
    KnownDataset(
        name="squad",
        task="question-answering",
        metric="f1",
        folder="squad",
        train_file="train-v1.1.json",
        dev_file="dev-v1.1.json",
        tfds=TfdsColumns("squad/v1.1", ()),
    ),
    KnownDataset(
        name="squad2",
        task="question-answering",
        metric="f1",
        folder="squad2",
        train_file="train-v2.0.json",
        dev_file="dev-v2.0.json",
        tfds=TfdsColumns("squad/v2.0", ()),
    ),
)

KNOWN_DATASETS = {dataset.name: dataset for dataset in _ALL}

_OUT_OF_REACH = {
    "glue/ax": "a test file of classes for models of glue/mnli, without labels",
    "klue/re": "relation extraction needs marks around the two entities of a sentence",
    "klue/dp": "dependency parsing needs a head for arcs between words",
    "klue/dst": "dialogue state tracking needs a decoder of slot values",
    "klue/wos": "dialogue state tracking needs a decoder of slot values",
}


def known_dataset(name: str) -> KnownDataset:
    """The data set of this name.

    Raises:
        ValueError: an unknown name, close ones are listed; or a data set of a kind
            that kbert does not fine-tune for.
    """
    if name in _OUT_OF_REACH:
        raise ValueError(
            "Expected a data set of classification, regression, tagging or question "
            f"answering; {name} is none: {_OUT_OF_REACH[name]}."
        )
    if name not in KNOWN_DATASETS:
        close = difflib.get_close_matches(name, KNOWN_DATASETS, cutoff=0.5)
        raise ValueError(
            f"Expected a known data set; got {name!r}. "
            + (f"Close to it: {', '.join(close)}" if close else "None is close to it")
            + f". All: {', '.join(KNOWN_DATASETS)}."
        )
    return KNOWN_DATASETS[name]


def known_dataset_files(name: str, directory: str | Path) -> tuple[str, str]:
    """The training and the dev file, in a directory or in its folder of the archive.

    For "glue/rte" in "glue_data": glue_data/RTE/train.tsv and glue_data/RTE/dev.tsv.

    Raises:
        FileNotFoundError: a file is missing; those that are there are listed.
        ValueError: as `known_dataset`.
    """
    wanted = known_dataset(name)
    directory = Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(
            f"Expected a directory with the files of {name}; {directory} does not "
            "exist."
        )
    folder = directory / wanted.folder
    place = folder if folder.is_dir() else directory
    files = [place / wanted.train_file, place / wanted.dev_file]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        there = sorted(path.name for path in place.iterdir())
        there = ", ".join(there[:20]) + (", …" if there[20:] else "") or "nothing"
        raise FileNotFoundError(
            f"Expected {wanted.train_file} and {wanted.dev_file} of {name} in {place}; "
            f"it holds {there}, no {', no '.join(missing)}. {wanted.note}".rstrip()
        )
    return str(files[0]), str(files[1])


def from_tfds(dataset: KnownDataset) -> KnownDataset:
    """The data set as TensorFlow Datasets holds it; its files are `tfds:NAME:SPLIT`.

    Raises:
        ValueError: TensorFlow Datasets does not have it.
    """
    if dataset.tfds is None:
        there = [other.name for other in _ALL if other.tfds is not None]
        raise ValueError(
            f"Expected a data set that TensorFlow Datasets has ({', '.join(there)}); "
            f"got {dataset.name}. Give its files instead."
        )
    source = dataset.tfds
    return dataclasses.replace(
        dataset,
        train_file=f"tfds:{source.name}:train",
        dev_file=f"tfds:{source.name}:{source.dev_split}",
        text_columns=source.text_columns,
        label_column="label" if source.text_columns else "",
        header=(),
        note="",
    )
