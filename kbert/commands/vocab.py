"""Vocabularies from the command line: learned from text, extended, pruned."""

import itertools
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from kbert.checkpoints.local_path import local_path
from kbert.commands.early_checks import (
    UsageError,
    check_counts,
    check_file,
    check_model,
    check_number,
    check_output,
)
from kbert.disk.text_lines import text_files, utf8_lines
from kbert.disk.whole_directories import write_directory
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer_files import (
    load_reference_tokenizer,
    model_path,
    write_tokenizer,
)
from kbert.text.vocabulary_change import extend_vocabulary, prune_vocabulary
from kbert.text.vocabulary_learner import (
    learn_vocabulary,
    learn_vocabulary_from_texts,
)
from kbert.text.vocabulary_report import format_report, vocabulary_report

REPORT = "vocabulary_report.json"
# Fields of config.json that another vocabulary, or kbert's own weights, make untrue.
_STALE = ("architectures", "model_type", "vocab_size", "dtype", "torch_dtype")


def vocab(
    corpus: list[str],
    output: str,
    vocabulary_size: int = 16000,
    lowercase: bool = False,
    max_alphabet: int | None = None,
    min_frequency: int = 2,
    held_out: float = 0.01,
    user_tokens: list[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Learn a WordPiece vocabulary from text files, and report how well it fits.

    Args:
        corpus: text files, or directories of *.txt; UTF-8.
        output: the directory to write: vocab.txt, tokenizer_config.json and
            vocabulary_report.json.
        vocabulary_size: most tokens, the five special ones counted.
        lowercase: lower-case the text and drop accents, as uncased English models do;
            leave it off for Korean, whose syllables it takes apart.
        max_alphabet: most characters kept; by default an eighth of the vocabulary.
        min_frequency: pieces seen less often are not learned.
        held_out: share of the lines kept for the report, 0 to 0.5; 0.01 is one line in
            100, and 0 learns from all lines and reports nothing.
        user_tokens: tokens that texts hold whole, whatever is in them, such as <e1>.
        overwrite: replace an output directory that exists.
    """
    check_counts(
        vocabulary_size=vocabulary_size,
        max_alphabet=max_alphabet,
        min_frequency=min_frequency,
    )
    check_number("held_out", held_out, least=0, most=0.5)
    check_output(output, overwrite)
    output = Path(output)
    every = round(1 / held_out) if held_out else 0
    paths = text_files(corpus)
    settings = {
        "vocabulary_size": vocabulary_size,
        "lowercase": lowercase,
        "max_alphabet": max_alphabet,
        "min_frequency": min_frequency,
        "user_tokens": user_tokens or (),
    }
    if every:
        lines = (line for line, is_held in _lines(paths, every) if not is_held)
        vocabulary = learn_vocabulary_from_texts(lines, **settings)
    else:
        vocabulary = learn_vocabulary(paths, **settings)
    tokenizer = ReferenceTokenizer(vocabulary, lowercase=lowercase)
    report = _report(tokenizer, paths, every) if every else None
    with write_directory(output, overwrite) as aside:
        write_tokenizer(tokenizer, aside)
        if report:
            text = json.dumps(report, ensure_ascii=False, indent=2)
            (aside / REPORT).write_text(text + "\n", "utf-8")
    print(f"{len(vocabulary):,} tokens, the last one learned: {vocabulary.tokens[-1]}")
    if report:
        print(f"On one line in {every:,}, not learned from:")
        print(format_report(report))
    elif every:
        print(f"No report: fewer than {every:,} lines, so that none was held out.")
    return output


def extend_vocab(
    model: str,
    tokens: str | None = None,
    output: str | None = None,
    onto_unused: bool = False,
    overwrite: bool = False,
    user_tokens: list[str] | None = None,
) -> Path:
    """Add tokens to a model; each starts as the mean of the pieces it was cut into.

    Tokens are brought into the form in which the tokenizer looks them up (NFC,
    lower-cased where it lower-cases); those the model has already are skipped.

    Args:
        model: a model directory, a preset's name or hf://owner/name; it stays as it is.
        tokens: a UTF-8 file, one token a line, ## before what continues a word.
        output: the model directory to write; task, labels and settings are kept.
        onto_unused: put them in the places of [unused1], [unused2], … so that the
            model keeps its size; otherwise they are appended.
        overwrite: replace an output directory that exists.
        user_tokens: tokens that texts hold whole, whatever is in them, such as <e1>;
            instead of a file of tokens, or beside it.
    """
    if output is None:
        raise UsageError("Expected --output, the model directory to write.")
    if not (tokens or user_tokens):
        raise UsageError("Expected --tokens, --user-tokens or both.")
    check_output(output, overwrite)
    check_model(model)
    wanted = []
    if tokens:
        check_file(tokens, "a file of tokens, one a line")
    output = Path(output)
    path = model_path(local_path(model))
    tokenizer = load_reference_tokenizer(path)
    if tokens:
        wanted = [_looked_up(tokenizer, line) for line in utf8_lines(tokens) if line]
    old = tokenizer.vocabulary
    try:
        vocabulary = extend_vocabulary(old, wanted, onto_unused, user_tokens or ())
    except ValueError as error:
        raise ValueError(f"{tokens or '--user-tokens'}: {error}") from None
    if vocabulary == old:
        asked = f"all {len(wanted)} in {tokens}" if tokens else "all of --user-tokens"
        raise ValueError(
            f"Expected tokens that {model} does not have, one a line; {asked} are "
            "there already."
        )
    _write_changed(path, tokenizer, vocabulary, output, overwrite)
    whole = {token.content for token in vocabulary.added_tokens}
    added = [t for t in vocabulary.tokens if t not in old and t not in whole]
    bodies = {token: token.removeprefix("##") for token in added}
    unmet = [token for token, body in bodies.items() if tokenizer.words(body) != [body]]
    if unmet:
        print(
            f"No text is cut into {len(unmet)} of them, as the tokenizer splits words "
            f"at punctuation and ideographs: {' '.join(unmet[:10])}"
        )
    return output


def prune_vocab(
    model: str,
    texts: list[str],
    output: str,
    min_count: int = 1,
    overwrite: bool = False,
) -> Path:
    """Drop the tokens of a model that some texts do not use; it gets smaller.

    With --min-count 1 the model answers on these texts as before. Characters seen stay,
    whatever their count.

    Args:
        model: a model directory, a preset's name or hf://owner/name; it stays as it is.
        texts: text files, or directories of *.txt; UTF-8: all that the model is for.
        output: the model directory to write; task, labels and settings are kept.
        min_count: how often a token must be used to stay.
        overwrite: replace an output directory that exists.
    """
    check_counts(min_count=min_count)
    check_output(output, overwrite)
    check_model(model)
    output, files = Path(output), text_files(texts)
    path = model_path(local_path(model))
    tokenizer = load_reference_tokenizer(path)
    lines = (line for path in files for line in utf8_lines(path))
    bar = tqdm(lines, "counting tokens", unit=" lines", disable=None, leave=False)
    vocabulary = prune_vocabulary(tokenizer, bar, min_count)
    _write_changed(path, tokenizer, vocabulary, output, overwrite)
    return output


def _lines(paths, every) -> Iterator[tuple[str, bool]]:
    """The lines that are not blank, and whether each is an `every`-th of them."""
    number = 0
    for path in paths:
        for line in utf8_lines(path):
            if line:
                number += 1
                yield line, number % every == 0


def _report(tokenizer, paths, every):
    """On the lines held out; None where none of them has a word."""
    held = (line for line, is_held in _lines(paths, every) if is_held)
    held = (line for line in held if tokenizer.words(line))
    first = next(held, None)
    if first is None:
        return None
    return vocabulary_report(tokenizer, itertools.chain([first], held))


def _looked_up(tokenizer, token):
    """The token as the tokenizer would look it up, if it is one word to it."""
    token = unicodedata.normalize("NFC", token)
    body = token.removeprefix("##")
    words = tokenizer.words(body)
    return token.removesuffix(body) + words[0] if len(words) == 1 else token


def _write_changed(directory, tokenizer, vocabulary, output, overwrite):
    """The model under another vocabulary, with all else its directory says."""
    from kbert.checkpoints.huggingface.directory import WEIGHTS, read_config
    from kbert.checkpoints.load_and_save import load, save
    from kbert.checkpoints.vocabulary_transfer import with_vocabulary

    old = tokenizer.vocabulary
    changed = with_vocabulary(load(directory), tokenizer, vocabulary)
    config = {
        name: value
        for name, value in read_config(directory).items()
        if name not in _STALE and not name.endswith("_token_id")
    }
    new_tokenizer = load_reference_tokenizer(directory, vocabulary=vocabulary)
    save(changed, output, new_tokenizer, config, overwrite)
    added = len(set(vocabulary.tokens) - set(old.tokens))
    dropped = len(set(old.tokens) - set(vocabulary.tokens))
    sizes = [
        f"{(place / WEIGHTS).stat().st_size / 1e6:.1f} MB"
        for place in (directory, output)
        if (place / WEIGHTS).is_file()  # not of pytorch_model.bin and its kin
    ]
    print(
        f"{len(old):,} tokens -> {len(vocabulary):,}: {added:,} new, {dropped:,} "
        f"dropped; {WEIGHTS} {' -> '.join(sizes)}"
    )
