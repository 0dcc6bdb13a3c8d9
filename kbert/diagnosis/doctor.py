"""What silently ruins the results of a model directory; behind `kbert doctor`.

Nothing is loaded as a model, so that a directory which `load` refuses is examined too.
"""

import dataclasses
import json
import textwrap
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from kbert.checkpoints.huggingface.names import of_checkpoint, of_huggingface
from kbert.checkpoints.huggingface.weights import has_weights, open_weights
from kbert.checkpoints.weight_maps import HUGGINGFACE_CONFIG_FIELDS
from kbert.diagnosis import (
    embedding_checks,
    text_checks,
    vocabulary_checks,
    weight_checks,
)
from kbert.diagnosis.case import IS_SAID, POSITIONS, Case, Finding
from kbert.disk.text_lines import utf8_lines
from kbert.text.huggingface_settings import TOKENIZER_CONFIG, check_tokenizer_class
from kbert.text.tokenizer_files import (
    load_light_tokenizer,
    load_vocabulary,
    tokenizer_arguments,
    vocabulary_file,
)

_CONFIG, _GOOGLE_CONFIG = "config.json", "bert_config.json"
_NUMBERS = (*HUGGINGFACE_CONFIG_FIELDS, "model_max_length")
LEVELS = ("error", "warning", "note")
_FILES = "the files can be read"
_ODD_FILE = "Save the tokenizer anew with kbert convert, and the file is in order."


@dataclasses.dataclass(frozen=True)
class _Check:
    """`needs`: attributes of the `Case` without which it is left out."""

    title: str
    find: Callable
    needs: tuple[str, ...]

    def is_possible(self, case):
        return all(getattr(case, name) is not None for name in self.needs)


CHECKS = (
    _Check("settings and weights fit", weight_checks.settings, ("config",)),
    _Check("each token has a row", embedding_checks.rows, ("config", "words")),
    _Check("special tokens", vocabulary_checks.special_ids, ("vocabulary",)),
    _Check("padding token", vocabulary_checks.pad_id, ("config", "vocabulary")),
    _Check("capitals", vocabulary_checks.letter_case, ("vocabulary",)),
    _Check("Hangul and accents", vocabulary_checks.hangul_and_accents, ("vocabulary",)),
    _Check("longest input", embedding_checks.positions, ("config", "tensors")),
    _Check("form of GELU", weight_checks.gelu, ("config",)),
    _Check("layer norm epsilon", weight_checks.epsilon, ("config",)),
    _Check("tied decoder", weight_checks.decoder, ("tensors",)),
    _Check("finite numbers", weight_checks.numbers, ("tensors",)),
    _Check("no codes for weights", weight_checks.codes, ("tensors",)),
    _Check("all layers trained", weight_checks.trained_layers, ("config", "tensors")),
    _Check(
        "all tokens trained",
        embedding_checks.token_rows,
        ("config", "words", "vocabulary"),
    ),
)
TEXT_CHECKS = (
    _Check("unknown tokens in the texts", text_checks.unknown_tokens, ()),
    _Check("pieces per word", text_checks.pieces_per_word, ()),
    _Check("texts read whole", text_checks.cut_texts, ()),
    _Check("Hangul of the texts", text_checks.decomposed_text, ()),
)
# SentencePiece normalises by the rules in its model.
_OF_WORDPIECE = (vocabulary_checks.letter_case, vocabulary_checks.hangul_and_accents)


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What `doctor` found.

    Attributes:
        model: as it was given.
        findings: errors first, then warnings, then notes.
        passed: titles of the checks that found nothing.
        skipped: titles of those that could not be made, as what they need is not there.
        figures: of the texts (`text_figures`); empty without.
    """

    model: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    skipped: tuple[str, ...]
    figures: Mapping

    @property
    def exit_code(self) -> int:
        """1 if there is an error, else 0."""
        return int(any(finding.level == "error" for finding in self.findings))

    def __str__(self):
        lines = [self.model]
        for words, titles in (("ok", self.passed), ("not checked", self.skipped)):
            if titles:
                lines += _wrapped(f"{words}: {', '.join(titles)}", "  ")
        if self.figures:
            lines.append(
                "  {num_texts:,} texts: {unknown_piece_rate:.2%} of tokens unknown, "
                "{pieces_per_word:.2f} pieces per word, {cut_share:.1%} longer than "
                "{longest} tokens".format(**self.figures)
            )
        for finding in self.findings:
            lines.append(f"  {finding.level}: {finding.check}")
            lines += _wrapped(finding.what, "    ")
            lines += _wrapped(f"-> {finding.change}", "    ")
        counts = [sum(f.level == level for f in self.findings) for level in LEVELS]
        lines.append(
            ", ".join(
                f"{count} {level}{'s' * (count != 1)}"
                for count, level in zip(counts, LEVELS, strict=True)
            )
        )
        return "\n".join(lines)


def diagnose(directory: Path, model: str, text: str | None = None) -> Diagnosis:
    """All checks of a model directory, and of texts that it is to read.

    Args:
        directory: of the model, also one that does not load.
        model: its name in the diagnosis, as it was given.
        text: a UTF-8 file of texts as the model will meet them, one a line.

    Raises:
        ValueError: no text in the file, or bytes that are not UTF-8.
    """
    case, unreadable = read_case(directory)
    findings = unreadable + examine(case)
    checks = [check for check in CHECKS if _is_due(check, case)]
    skipped = [check.title for check in CHECKS if check not in checks]
    figures = {}
    if text is not None and case.vocabulary is None:
        skipped += [check.title for check in TEXT_CHECKS]
    elif text is not None:
        figures = _figures(directory, case, text)
        findings += _found(TEXT_CHECKS, case, figures)
        checks += TEXT_CHECKS
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    found_in = {finding.check for finding in findings}
    titles = [_FILES, *(check.title for check in checks)]
    passed = [title for title in titles if title not in found_in]
    return Diagnosis(model, tuple(findings), tuple(passed), tuple(skipped), figures)


def examine(case: Case) -> list[Finding]:
    """All that the checks find in what was read of a directory."""
    return _found([check for check in CHECKS if _is_due(check, case)], case)


def read_case(directory: Path) -> tuple[Case, list[Finding]]:
    """What can be read of a directory, and an error for each part that cannot."""
    findings = []

    def read(function, change):
        try:
            return function()
        except (OSError, ValueError) as error:
            findings.append(Finding("error", str(error), change, _FILES))
            return None

    config_file = directory / _CONFIG
    google_config = None
    correct = "Correct the value in the file that the message names."
    if (directory / _GOOGLE_CONFIG).is_file():
        google_config = read(
            lambda: _object(directory / _GOOGLE_CONFIG), "Correct or delete the file."
        )
    if config_file.is_file() or google_config is None:
        config = read(lambda: _object(config_file), correct)
    else:
        config, google_config = google_config, None
    tensors = read(
        lambda: _tensors(directory), "Put the weights there, whole; see the message."
    )
    settings, vocabulary, is_sentencepiece = {}, None, False
    file = read(lambda: vocabulary_file(directory), "Keep one of them.")
    if file is not None:
        is_sentencepiece = file.suffix == ".model"
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            vocabulary = read(
                lambda: load_vocabulary(directory),
                "Correct the file the message names; without a vocabulary no text can "
                "be read.",
            )
        findings += [
            Finding("warning", str(warning.message), _ODD_FILE, _FILES)
            for warning in said
            if "does not say" not in str(warning.message)  # a check of its own
        ]
    if vocabulary is not None and not is_sentencepiece:
        read(lambda: check_tokenizer_class(directory), "Name the one the model has.")
        settings = read(lambda: _settings(directory), correct) or {}
    elif vocabulary is not None and (directory / TOKENIZER_CONFIG).is_file():
        settings = read(lambda: _object(directory / TOKENIZER_CONFIG), correct) or {}
    case = Case(config, settings, vocabulary, tensors, google_config, is_sentencepiece)
    return case, findings


def _settings(directory):
    """`tokenizer_config.json`, and what holds of case where it is silent."""
    file = directory / TOKENIZER_CONFIG
    stored = _object(file) if file.is_file() else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said with the vocabulary
        arguments = tokenizer_arguments(directory)
    return stored | {
        "do_lower_case": arguments.get("lowercase", False),
        "strip_accents": arguments.get("strip_accents"),
        IS_SAID: stored.get("do_lower_case") is not None,
    }


def _is_due(check, case):
    is_for_wordpiece = check.find in _OF_WORDPIECE
    return check.is_possible(case) and not (is_for_wordpiece and case.is_sentencepiece)


def _found(checks, *given) -> list[Finding]:
    return [
        dataclasses.replace(finding, check=check.title)
        for check in checks
        for finding in check.find(*given)
    ]


def _wrapped(text, indent):
    return textwrap.wrap(
        text,
        88,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _object(path):
    if not path.is_file():
        raise FileNotFoundError(f"Expected {path}; it is not there.")
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}; {error}.") from None
    if not isinstance(value, dict):
        raise ValueError(f"Expected an object of settings in {path}; got {value!r}.")
    for name in (*_NUMBERS, *(n for n in value if n.endswith("_token_id"))):
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, int | float | None):
            raise ValueError(
                f"Expected a number for {name} in {path}; it says {json.dumps(number)}."
            )
    return value


def _tensors(directory):
    if has_weights(directory):
        return of_huggingface(open_weights(directory))
    from kbert.checkpoints.formats import find_checkpoint  # starts TensorFlow

    tensors = of_checkpoint(find_checkpoint(directory))
    for name in tensors:
        tensors[name]  # the file of names may be there without that of numbers
        break
    return tensors


def _figures(directory, case, text):
    texts = [line for line in utf8_lines(text) if line]
    if not texts:
        raise ValueError(f"Expected texts in {text}, one a line; it is empty.")
    tokenizer = load_light_tokenizer(directory)
    longest = (case.config or {}).get("max_position_embeddings", 512)
    if case.tensors is not None and POSITIONS in case.tensors:
        longest = len(case.tensors[POSITIONS])
    return text_checks.text_figures(tokenizer, texts, longest)
