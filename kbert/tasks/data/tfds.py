"""Examples of TensorFlow Datasets: `tfds:NAME:SPLIT`.

    tfds:glue/sst2:train          a dataset, a configuration of it, a split
    tfds:glue/sst2:train[:90%]    a part of the split, as TFDS writes it
    tfds:glue/sst2:2.0.0:train    a version

Datasets lie where TFDS keeps them: `TFDS_DATA_DIR`, or `~/tensorflow_datasets`. One
that was built there with code of its own is read without that code.
"""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

PREFIX = "tfds:"

# a version starts with a digit or an asterisk, a split with a letter
_SOURCE = re.compile(
    r"tfds:(?P<name>\w+(/[\w.=,-]+)*(:[\d*][\d.*]*)?)(:(?P<split>.+))?"
)


def is_tfds(source: str | Path) -> bool:
    """Whether a source is a dataset of TFDS, and no file."""
    return str(source).startswith(PREFIX)


def with_split(source: str | Path, split: str) -> str:
    """The source, and where a dataset of TFDS comes without a split, this one.

    >>> with_split("tfds:glue/sst2", "validation")
    'tfds:glue/sst2:validation'
    >>> with_split("tfds:glue/sst2:train", "validation")
    'tfds:glue/sst2:train'
    >>> with_split("dev.tsv", "validation")
    'dev.tsv'
    """
    if is_tfds(source) and _parse(str(source))[1] is None:
        return f"{source}:{split}"
    return str(source)


def read_tfds(source: str) -> Iterator[dict]:
    """The examples of `tfds:NAME:SPLIT` as dicts of plain Python values.

    Classes become their names, and None where there is none (-1, as in GLUE's test
    splits); bytes become str; sequences become lists, and a sequence of dicts a dict
    of lists, as TFDS keeps it.

    Raises:
        ImportError: TensorFlow Datasets is not installed.
        FileNotFoundError: the dataset is not on disk and could not be downloaded.
        ValueError: a dataset, configuration or split that does not exist; close ones
            are listed.
    """
    name, split = _parse(source)
    tfds = _tensorflow_datasets()
    builder = _builder(tfds, name)
    if not builder.is_prepared():
        _download(builder, name)
    splits = ", ".join(f"{PREFIX}{name}:{split}" for split in builder.info.splits)
    if split is None:
        raise ValueError(f"Expected a split, one of {splits}; got {source}.")
    try:
        dataset = builder.as_dataset(split=split, shuffle_files=False)
    except ValueError as error:
        raise ValueError(
            f"Expected one of the splits {splits}, or a part such as train[:90%]; got "
            f"{source}: {str(error).splitlines()[0]}"
        ) from None
    for example in tfds.as_numpy(dataset):
        yield _plain(tfds, builder.info.features, example)


def _parse(source):
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ValueError(
            f"Expected tfds:NAME:SPLIT, such as tfds:glue/sst2:train; got {source!r}."
        )
    return match["name"], match["split"]


def _tensorflow_datasets():
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"Expected TensorFlow Datasets, to read {PREFIX}…; {error}. pip install "
            "tensorflow-datasets"
        ) from None
    return tfds


def _builder(tfds, name):
    # TFDS reads TFDS_DATA_DIR once, at its import; we, each time
    directory = os.environ.get("TFDS_DATA_DIR")
    try:
        return tfds.builder(name, data_dir=directory)
    except tfds.core.DatasetNotFoundError:
        directory = Path(directory or "~/tensorflow_datasets").expanduser()
        raise ValueError(_not_found(tfds, name, directory)) from None
    except (ValueError, AssertionError) as error:  # the configuration, the version
        dataset, *config = re.split("[/:]", name)
        configs = tfds.builder_cls(dataset).builder_configs
        if config and configs and config[0] not in configs:
            raise ValueError(
                f"Expected a configuration of {dataset} ({', '.join(configs)}); got "
                f"{name!r}."
            ) from None
        raise ValueError(
            f"Expected a dataset of TFDS; {name!r}: {str(error).splitlines()[0]}"
        ) from None


def _not_found(tfds, name, directory):
    """A line where TFDS writes 450: it lists all the datasets that it knows."""
    dataset = re.split("[/:]", name)[0]
    built = sorted(path.name for path in (directory / dataset).glob("*/"))
    if built:
        advice = f"{directory / dataset} holds {', '.join(built)}"
    else:
        known = set(tfds.list_builders(with_community_datasets=False))
        known |= {path.parent.name for path in directory.glob("*/*/")} - {"downloads"}
        close = difflib.get_close_matches(dataset, sorted(known))
        advice = f"Close to it: {', '.join(close) or 'none'}"
    return (
        f"Expected a dataset of TFDS, or one built in {directory}; got {name!r}. "
        f"{advice}."
    )


def _download(builder, name):
    try:
        builder.download_and_prepare()
    except Exception as error:  # of the network, the checksums, the dataset's code
        raise FileNotFoundError(
            f"Expected the dataset {name} in {builder.data_dir}; it is not there, and "
            f"to download it failed: {error}. Where there is a network, run python -c "
            f"\"import tensorflow_datasets as t; t.load('{name}')\", and set "
            "TFDS_DATA_DIR to the directory that it is in."
        ) from None


def _plain(tfds, feature, value):
    """A value of TFDS as Python's own: label 1 is "positive", the text b"…" is "…"."""
    features = tfds.features
    if isinstance(feature, features.FeaturesDict):
        return {key: _plain(tfds, feature[key], value[key]) for key in feature}
    if isinstance(feature, features.Sequence):
        inner = feature.feature
        if isinstance(inner, features.FeaturesDict):
            return {
                key: [_plain(tfds, inner[key], item) for item in _python(value[key])]
                for key in inner
            }
        return [_plain(tfds, inner, item) for item in _python(value)]
    if isinstance(feature, features.ClassLabel):
        return feature.int2str(int(value)) if value >= 0 else None
    return _python(value)


def _python(value):
    """NumPy's scalars and arrays, ragged tensors and bytes, as Python's own."""
    if hasattr(value, "to_list"):  # tf.RaggedTensor: sequences of sequences
        value = value.to_list()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, list):
        return [_python(item) for item in value]
    return value
