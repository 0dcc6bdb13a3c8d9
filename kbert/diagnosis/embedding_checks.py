"""Do the embeddings fit the vocabulary, and were they trained? For `kbert doctor`.

Each check takes a `Case` and gives its findings; none means that all is well.
"""

import hashlib
import re
from collections.abc import Iterator

import numpy as np

from kbert.diagnosis.case import POSITIONS, Case, Finding, counted, quoted

_UNUSED = re.compile(r"\[unused\d+\]")
_NO_LIMIT = 10**9  # transformers writes 1e30 for it
# Of a normal distribution cut at 2 standard deviations, per one of the whole.
_TRUNCATED = 0.8796
_WIDE_ENOUGH = 32  # columns; the spread of fewer numbers says little
_TOKENIZER, _CONFIG = "tokenizer_config.json", "config.json"


def rows(case: Case) -> Iterator[Finding]:
    """A row for each token, and a token for each row."""
    there = len(case.words)
    said = case.config.get("vocab_size", 30522)
    if said != there:
        yield Finding(
            "error",
            f"config.json says vocab_size {said:,}; the token embedding has {there:,} "
            "rows. Neither library loads it so.",
            f'Set "vocab_size": {there} in {_CONFIG}, if the weights are right.',
        )
    if case.vocabulary is None:
        return
    tokens = len(case.vocabulary)
    if tokens > there:
        yield Finding(
            "error",
            f"The vocabulary has {tokens:,} tokens for {there:,} rows of the token "
            f"embedding; {quoted(case.vocabulary.tokens[there:])} would have none.",
            "Take the vocabulary that the model was trained with; or add the rows: "
            "kbert.resize_vocabulary, then training.",
        )
    elif tokens < there:
        surplus = case.words[tokens:].astype("float32")
        stddev = case.config.get("initializer_range", 0.02)
        is_padding = (looks_fresh(surplus, stddev) | ~surplus.any(axis=1)).all()
        lost = f"{counted(there - tokens, 'row')} without a token"
        yield Finding(
            "note" if is_padding else "warning",
            f"The vocabulary has {tokens:,} tokens for {there:,} rows of the token "
            f"embedding: {lost}"
            + (", which never had one." if is_padding else ", and yet trained."),
            "Nothing; the embedding was filled up to a round number."
            if is_padding
            else "See whether lines are missing from the vocabulary: one that is "
            "missing in the middle gives all tokens after it the row of another.",
        )


def positions(case: Case) -> Iterator[Finding]:
    """The longest input: 512 for most, 300 for KcBERT; and who believes in another."""
    if POSITIONS not in case.tensors:  # another check's finding
        return
    there = len(case.tensors[POSITIONS])
    said = case.config.get("max_position_embeddings", 512)
    if said != there:
        yield Finding(
            "error",
            f"config.json says max_position_embeddings {said}; the position embedding "
            f"has {there} rows.",
            f'Set "max_position_embeddings": {there} in {_CONFIG}, if the weights are '
            "right.",
        )
    cut = case.settings.get("model_max_length")
    if cut is None or cut > _NO_LIMIT:
        if there < 512 and case.vocabulary is not None:
            yield Finding(
                "warning",
                f"The model has {there} positions, fewer than the usual 512, and "
                f"{_TOKENIZER} does not say model_max_length: transformers cuts "
                "nothing, and longer texts fail.",
                f'Set "model_max_length": {there} in {_TOKENIZER}.',
            )
    elif cut > there:
        yield Finding(
            "error",
            f"{_TOKENIZER} says model_max_length {cut}; the model has {there} "
            "positions, and longer texts fail.",
            f'Set "model_max_length": {there} in {_TOKENIZER}.',
        )
    own = case.config.get("kbert", {}).get("sequence_length", 0)
    if own > there:
        yield Finding(
            "error",
            f'config.json says "kbert": {{"sequence_length": {own}}}; the model has '
            f"{there} positions.",
            f'Set "sequence_length": {there} in {_CONFIG}.',
        )


def token_rows(case: Case) -> Iterator[Finding]:
    """Rows of the token embedding that are zero, twice there, or never trained."""
    table, vocabulary = case.words, case.vocabulary
    table = table[: len(vocabulary)].astype("float32")  # what no token reaches: `rows`
    if not np.isfinite(table).all():  # another check's finding
        return
    used = np.ones(len(table), bool)
    used[[id for id in (vocabulary.pad_id,) if id < len(table)]] = False
    zero = used & ~table.any(axis=1)
    yield from _row_findings(
        case, zero, "all zeros", "such tokens are one and the same to the model"
    )
    first, copies = {}, np.zeros(len(table), bool)
    for i in np.flatnonzero(used & ~zero):
        row = hashlib.blake2b(table[i].tobytes(), digest_size=16).digest()
        copies[i] = first.setdefault(row, i) != i
    yield from _row_findings(
        case,
        copies,
        "equal to another",
        "the model cannot tell the two tokens apart",
    )
    if table.shape[1] < _WIDE_ENOUGH:
        return
    stddev = case.config.get("initializer_range", 0.02)
    fresh = used & ~zero & ~copies & looks_fresh(table, stddev)
    others = table[used & ~zero & ~copies & ~fresh].std(axis=1)
    # Where the rest is spread as widely, a row tells nothing.
    if len(others) < len(table) / 2 or 0.7 < np.median(others) / stddev < 1.3:
        return
    yield from _row_findings(
        case,
        fresh,
        f"as a new model has them (spread {stddev}; {np.median(others):.3g} elsewhere)",
        "never trained",
    )


def looks_fresh(table, stddev):
    """(N, D) -> bool (N,): rows spread as an initializer leaves them, cut at 2 or not.

    Four standard errors of mean and spread are allowed.
    """
    n = table.shape[1]
    spread, mean = table.std(axis=1), np.abs(table.mean(axis=1))
    highest = np.abs(table).max(axis=1)
    fresh = np.zeros(len(table), bool)
    for expected, limit in ((_TRUNCATED * stddev, 2.001 * stddev), (stddev, np.inf)):
        fresh |= (
            (np.abs(spread - expected) <= 4 * expected / np.sqrt(2 * n))
            & (mean <= 4 * expected / np.sqrt(n))
            & (highest <= limit)
        )
    return fresh


def _row_findings(case, which, what, why):
    tokens = [case.vocabulary.id_to_token(int(i)) for i in np.flatnonzero(which)]
    unused = [token for token in tokens if _UNUSED.fullmatch(token)]
    others = [token for token in tokens if not _UNUSED.fullmatch(token)]
    if others:
        yield Finding(
            "warning",
            f"{counted(len(others), 'row')} of the token embedding, {what}: {why}. "
            f"{quoted(others)}.",
            "Train on texts that have these tokens; or begin them as the mean of their "
            "pieces: kbert.with_vocabulary, kbert extend-vocab.",
        )
    if unused:
        yield Finding(
            "note",
            f"{counted(len(unused), 'row')} of [unusedN], {what}.",
            "Nothing; no text reaches them.",
        )
