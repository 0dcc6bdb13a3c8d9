"""Which files of a model on a hub are downloaded: those that kbert reads."""

from collections.abc import Callable
from pathlib import Path

from kbert.checkpoints.sentence_modules import modules_of

# What a model has beside its weights, of every layout: a few kilobytes, and where they
# are the vocabulary, up to some megabytes.
TEXT_FILES = (
    "config.json",
    "bert_config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.model",
    "tokenizer_*.model",
    # sentence-transformers
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "[0-9]*_*/config.json",
)
# A KerasHub preset's.
PRESET_TEXT_FILES = (
    "task.json",
    "tokenizer.json",
    "preprocessor.json",
    "assets/tokenizer/vocabulary.txt",
)
PRESET_WEIGHTS, TASK_WEIGHTS = "model.weights.h5", "task.weights.h5"
# One of them has the vocabulary.
VOCABULARIES = (
    "vocab.txt",
    "tokenizer.json",
    "spiece.model",
    "sentencepiece.model",
    "tokenizer_*.model",
    "assets/tokenizer/vocabulary.txt",
)
# The formats of weights in the order in which they are asked for; one is downloaded.
# Those that are quick and safe to read come first.
WEIGHTS = (
    (
        "model.safetensors",
        "model.safetensors.index.json",
        "model-*-of-*.safetensors",
    ),
    (
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "pytorch_model-*-of-*.bin",
    ),
    (PRESET_WEIGHTS, TASK_WEIGHTS),
    ("tf_model.h5", "tf_model.h5.index.json", "tf_model-*-of-*.h5"),
    ("*.ckpt.index", "*.ckpt.data-*"),
)


def fetch_model(download: Callable) -> tuple[Path, list[str]]:
    """Downloads a model.

    Args:
        download: patterns of files -> the directory in which they are, if there are
            any.

    Returns: the directory, and what of a model there is not.
    """
    directory = download(TEXT_FILES + PRESET_TEXT_FILES + WEIGHTS[0])
    folder = _folder_of_the_bert(directory)
    if folder:
        download([folder + name for name in TEXT_FILES + WEIGHTS[0]])
    missing = []
    if not _has_any(directory, (f"{folder}config.json", f"{folder}bert_config.json")):
        missing.append("config.json")
    for patterns in WEIGHTS:
        names = [folder + name for name in patterns]
        if patterns is not WEIGHTS[0]:
            directory = download(names)
        if _has_any(directory, names):
            break
    else:
        missing.append(f"weights ({', '.join(group[0] for group in WEIGHTS)})")
    for module in modules_of(directory)[1]:
        if module["type"].endswith(".Dense"):
            _fetch_projection(download, directory, module["path"].strip("/"))
    return directory, missing


def fetch_tokenizer(download: Callable) -> tuple[Path, list[str]]:
    """Downloads what a tokenizer is read from; see `fetch_model`."""
    directory = download(TEXT_FILES + PRESET_TEXT_FILES)
    folder = _folder_of_the_bert(directory)
    if folder:
        download([folder + name for name in TEXT_FILES])
    names = [folder + name for name in VOCABULARIES]
    found = _has_any(directory, names)
    return directory, [] if found else [f"a vocabulary ({', '.join(VOCABULARIES)})"]


def _fetch_projection(download, directory, folder):
    for patterns in WEIGHTS[:2]:
        name = f"{folder}/{patterns[0]}"
        download([name])
        if (directory / name).is_file():
            return


def _has_any(directory, patterns):
    return any(next(directory.glob(pattern), None) for pattern in patterns)


def _folder_of_the_bert(directory):
    """In an old directory of sentence-transformers "0_BERT/" or the like; "" else."""
    modules = modules_of(directory)[1]
    folder = modules[0]["path"].strip("/") if modules else ""
    return f"{folder}/" if folder else ""
