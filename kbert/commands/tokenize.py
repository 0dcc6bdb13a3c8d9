"""A text and its tokens, side by side, for people to read."""

import sys
import unicodedata
from collections.abc import Iterator

from kbert.checkpoints.tokenizers import load_light_tokenizer
from kbert.commands.early_checks import check_choice, check_model


def tokenize(
    text: list[str] | None = None,
    vocabulary: str = "kbert_tiny_ko_en",
    offsets: bool = False,
    lowercase: bool = False,
    compatibility: str | None = None,
    special_tokens_in_text: bool = False,
) -> Iterator[str]:
    """Show the tokens of texts, their ids and where they stand.

    Args:
        text: texts, each by itself; without any, the lines of standard input.
        vocabulary: a model directory, a vocabulary file (vocab.txt, tokenizer.json or
            a SentencePiece .model), the name of a preset, or hf://owner/name, of which
            the tokenizer's files alone are downloaded.
        offsets: a table, one token a line: its id, its place in the text in characters,
            and what stands there.
        lowercase: lower-case and drop accents, whatever the directory says; a vocab.txt
            alone says nothing, and is taken as cased if it has a capital.
        compatibility: google or huggingface; by default what the directory says.
        special_tokens_in_text: "[MASK]" in a text is the token, not text.

    Returns: for each text, its pieces and their ids, or its table.
    """
    check_choice("compatibility", compatibility, ("google", "huggingface"))
    check_model(vocabulary)
    overrides = {"special_tokens_in_text": special_tokens_in_text}
    if lowercase:
        overrides["lowercase"] = True
    if compatibility:
        overrides["compatibility"] = compatibility
    tokenizer = load_light_tokenizer(vocabulary, **overrides)  # in a blink
    tokens = tokenizer.vocabulary.tokens
    show = _table if offsets else _pieces_and_ids
    lines = text or (line.rstrip("\r\n") for line in sys.stdin)
    return (show(line, tokenizer.located(line)[0], tokens) for line in lines)


def _pieces_and_ids(text, located, tokens):
    pieces = " ".join(tokens[id] for id, *_ in located)
    return f"{pieces}\n{' '.join(str(id) for id, *_ in located)}"


def _table(text, located, tokens):
    r"""'text', then a line such as "  5  em        0  2  'Em'" for each token."""
    width = max([5, *(_width(tokens[id]) for id, *_ in located)])
    lines = [text, f"{'id':>7}  {'token':{width}}  {'start':>5}  {'limit':>5}  text"]
    for id, start, limit in located:
        token = tokens[id] + " " * (width - _width(tokens[id]))
        slice = repr(text[start:limit])[1:-1]
        lines.append(f"{id:>7}  {token}  {start:>5}  {limit:>5}  {slice}")
    return "\n".join(lines)


def _width(text):
    """Columns of a terminal: Hangul and ideographs take two, marks none."""
    return sum(
        0
        if unicodedata.combining(c)
        else 1 + (unicodedata.east_asian_width(c) in ("W", "F"))
        for c in text
    )
