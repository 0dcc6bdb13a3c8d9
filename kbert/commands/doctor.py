"""`kbert doctor`: a model directory, checked for what silently ruins results."""

from typing import TYPE_CHECKING

from kbert.checkpoints.hubs import is_handle, resolve
from kbert.checkpoints.sentence_modules import transformer_directory
from kbert.commands.early_checks import check_file, check_model
from kbert.text.tokenizer_files import model_path

if TYPE_CHECKING:
    from kbert.diagnosis.doctor import Diagnosis


def doctor(model: str, text: str | None = None) -> "Diagnosis":
    """Check a model directory for what silently ruins results.

    Vocabulary against embedding, special tokens and padding, capitals and Hangul
    against the tokenizer's settings, the longest input, GELU, epsilon, the tied
    decoder, NaN, and rows and layers that were never trained. Each finding says what
    to change; with an error the exit code is 1.

    Args:
        model: a model directory, also one that does not load, or a preset's name.
        text: a UTF-8 file of texts as the model will meet them, one a line: counts
            unknown tokens, pieces per word and texts that will be cut.

    Returns: the findings, and what was checked and is well; `str` makes a report of it.
    """
    check_model(model)
    check_file(text, "a file of texts, one a line")
    directory = resolve(model) if is_handle(model) else model_path(model)
    from kbert.diagnosis.doctor import diagnose

    return diagnose(transformer_directory(directory), str(model), text)
