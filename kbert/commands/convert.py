"""A checkpoint of one format, written in another."""

import warnings
from pathlib import Path

from kbert.checkpoints.local_path import local_path
from kbert.commands.early_checks import (
    UsageError,
    check_choice,
    check_model,
    check_output,
)
from kbert.disk.whole_directories import write_directory
from kbert.registry import HEADS
from kbert.text.added_tokens import lost_added_tokens
from kbert.text.tokenizer_files import load_light_tokenizer
from kbert.text.tokenizers_file import ForeignTokenizerError

TARGETS = ("huggingface", "google-tf1", "kerashub", "keras")
# Fields of config.json that are written from the model itself, or untrue afterwards.
_OF_MODEL = (
    *("architectures", "model_type"),
    *("transformers_version", "dtype", "torch_dtype"),
)
# Those of a head, where another is asked for.
_OF_HEAD = ("id2label", "label2id", "num_labels", "problem_type", "kbert")


def convert(
    model: str,
    to: str,
    output: str,
    overwrite: bool = False,
    head: str | None = None,
) -> Path:
    """Convert a checkpoint to another format, heads and vocabulary included.

    Reads Hugging Face directories, Google's TF1 checkpoints, those of the TF2 Model
    Garden, KerasHub presets and .keras files. The numbers of the weights stay as they
    are, bit for bit; what the other format has no place for is named.

    Args:
        model: a directory, the path of a checkpoint or .keras file, a preset's name, or
            hf://owner/name, kaggle://… and kerashub://name, which are downloaded.
        to: huggingface (kbert's own), google-tf1, kerashub or keras.
        output: the directory to write, or for keras the file, ending in .keras.
        overwrite: replace an output that exists.
        head: make this model instead of the checkpoint's own, as backbone of one whose
            head kbert has no model for; what is left out is listed.
    """
    check_choice("--to", to, TARGETS)
    check_choice("head", head, HEADS)
    check_model(model)
    check_output(output, overwrite, "file" if to == "keras" else "directory")
    output = Path(output)
    if to == "keras" and output.suffix != ".keras":
        raise UsageError(f"Expected a name that ends in .keras; got {output.name}.")
    path = local_path(model)
    from kbert.checkpoints.keras.keras_file import write_keras
    from kbert.checkpoints.load_and_save import load_with_report, save

    loaded, report = load_with_report(path, head=head)
    print(report)
    tokenizer = _tokenizer(path)
    vectors = getattr(loaded, "text_vectors", None)
    if vectors is not None and to != "huggingface":
        print(f"lost: how texts get their vectors ({vectors}).")
    if to == "huggingface":
        save(loaded, output, tokenizer, _config(path, head), overwrite)
    elif to == "google-tf1":
        _write_google(loaded, output, tokenizer, overwrite)
    elif to == "kerashub":
        from kbert.checkpoints.keras.kerashub_writer import write_preset

        for loss in write_preset(loaded, output, tokenizer, overwrite):
            print(f"lost: {loss}")
    else:
        write_keras(loaded, output, overwrite)
        if tokenizer is not None:
            print("lost: a .keras file of a model has no vocabulary; keep it beside.")
    return output


def _tokenizer(path):
    """The tokenizer beside a checkpoint, or None."""
    directory = path if path.is_dir() else path.parent
    try:
        return load_light_tokenizer(directory)
    except FileNotFoundError:
        return None
    except ForeignTokenizerError as error:
        print(f"lost: the tokenizer. {error}")
        return None


def _config(path, head):
    """Labels and settings of a Hugging Face directory, beside what the model says."""
    from kbert.checkpoints.huggingface.directory import read_config

    try:
        config = read_config(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if "model_type" not in config:  # another format's config.json
        return {}
    left = _OF_MODEL + (_OF_HEAD if head else ())
    return {name: value for name, value in config.items() if name not in left}


def _write_google(model, output, tokenizer, overwrite):
    from kbert.checkpoints.tensorflow.google import write_checkpoint

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        with write_directory(output, overwrite) as aside:
            write_checkpoint(model, aside)
            if tokenizer is not None:
                tokenizer.vocabulary.write(aside / "vocab.txt")
    for warning in caught:
        if warning.category is UserWarning:
            print(f"note: {warning.message}")
    if tokenizer is not None and tokenizer.vocabulary.added_tokens:
        print(f"lost: {lost_added_tokens(tokenizer.vocabulary)}")
    if tokenizer is not None and not tokenizer.is_sentencepiece:
        print(
            "note: Google's format does not say how text is normalised; its scripts "
            f"want --do_lower_case={tokenizer.lowercase}."
        )
