"""Which files of a model on a hub are downloaded: those that kbert reads."""

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


def has_any(directory: Path, patterns) -> bool:
    """Whether a directory has a file by one of the patterns."""
    return any(next(directory.glob(pattern), None) for pattern in patterns)


def folder_of_the_model(directory: Path) -> str:
    """Where the BERT lies in an old directory of sentence-transformers; "" else.

    `modules.json` names it: "0_Transformer/" or "0_BERT/".
    """
    _, modules = modules_of(directory)
    folder = modules[0]["path"].strip("/") if modules else ""
    return f"{folder}/" if folder else ""
