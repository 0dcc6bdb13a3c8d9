"""Compares `SentencePieceTokenizer` with the sentencepiece library, line by line.

    python benchmarks/sentencepiece_parity.py MODEL FILES... [--vocabulary LIST]

LIST is the vocab.txt or vocab.json that gives the ids, for a model without special
tokens (KoBERT). Ids and the places of all tokens are compared, and the exit code is 1
where any line differs; but for ties: the same pieces in another order, as "." "..."
and "..." ".", have the same probability, and which is taken changed between the
versions 0.2.1 and 0.2.2 of the library. tensorflow-text goes with the older ones. Ties
are counted apart, and there are none with `pip install sentencepiece==0.2.1`.
"""

import argparse
import itertools
import sys

import sentencepiece

from kbert.text.sentencepiece_tokenizer import SentencePieceTokenizer

CHUNK = 4096
SHOWN = 10  # mismatches printed


def lines_of(path):
    """The lines of a file as they stand, without their end."""
    with open(path, encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.removesuffix("\n")


def by_library(library, vocabulary, line):
    """Ids, and the part of the line that each piece was made of, by the library."""
    try:
        pieces = library.encode(line, return_type="proto").pieces
    except TypeError:  # before 0.2.2
        pieces = library.encode(line, out_type="immutable_proto").pieces
    ids = [
        vocabulary.unknown_id
        if library.is_unknown(piece.id)
        else vocabulary.token_to_id(library.id_to_piece(piece.id))
        for piece in pieces
    ]
    return ids, [piece.surface for piece in pieces]


def slices(line, limits):
    """The line cut where tokens end: "가 나", [1, 3] -> ["가", " 나"]."""
    pairs = itertools.pairwise([0, *limits])
    return [line[start:limit] for start, limit in pairs]


def kind_of_difference(line, ids, limits, expected_ids, surfaces):
    """None, "ties" or "mismatches". White space before the text belongs to no piece."""
    if ids != expected_ids:
        return "ties" if sorted(ids) == sorted(expected_ids) else "mismatches"
    own = slices(line, limits)
    if not own:
        return None
    same = own[1:] == surfaces[1:] and own[0].endswith(surfaces[0])
    return None if same else "mismatches"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--vocabulary")
    options = parser.parse_args()
    library = sentencepiece.SentencePieceProcessor(model_file=options.model)
    tokenizer = SentencePieceTokenizer(options.model, options.vocabulary)
    totals = dict.fromkeys(("lines", "tokens", "ties", "mismatches"), 0)
    lines = itertools.chain.from_iterable(map(lines_of, options.files))
    while chunk := list(itertools.islice(lines, CHUNK)):
        ids, _, limits = tokenizer.tokenize_with_offsets(chunk)
        rows = zip(
            chunk,
            tokenizer(chunk).to_list(),
            ids.to_list(),
            limits.to_list(),
            strict=True,
        )
        for line, called, own, ends in rows:
            expected, surfaces = by_library(library, tokenizer.vocabulary, line)
            kind = kind_of_difference(line, own, ends, expected, surfaces)
            if called != own:
                kind = "mismatches"
            totals["lines"] += 1
            totals["tokens"] += len(own)
            if kind:
                totals[kind] += 1
            if kind == "mismatches" and totals[kind] <= SHOWN:
                print(f"{line!r}\n  kbert   {own} {ends}\n  library {expected}")
    print(f"sentencepiece {sentencepiece.__version__}:", totals)
    return int(totals["mismatches"] > 0)


if __name__ == "__main__":
    sys.exit(main())
