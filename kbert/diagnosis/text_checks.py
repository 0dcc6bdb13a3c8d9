"""Does the vocabulary fit the texts, and the texts the model? For `kbert doctor`.

From figures, not from texts: `text_figures` counts, the checks judge.
"""

import re
from collections.abc import Iterator, Sequence

from kbert.diagnosis.case import Case, Finding, quoted
from kbert.text.vocabulary_report import vocabulary_report

_JAMO = re.compile("[\u1100-\u11ff]")
_SHOWN = 5
# Shares from which on something is amiss. A vocabulary learned from like texts has some
# hundredths of a percent of [UNK], and 1.2 (English) to 2.5 (Korean) pieces per word.
_UNKNOWN = {"error": 0.05, "warning": 0.01}
_PIECES_PER_WORD = 4.0
_CUT = 0.05


def text_figures(tokenizer, texts: Sequence[str], longest: int) -> dict:
    """Counts tokens; a text's length has its [CLS] and [SEP] with it.

    Args:
        tokenizer: of any class.
        texts: with one word or more between them.
        longest: tokens that the model reads.

    Returns: a dict that JSON can hold.
        num_texts, num_words: counts; a word is what stands between white space.
        unknown_piece_rate: [UNK] per token, 0 to 1.
        unknown_words: the most frequent that give one (of WordPiece).
        pieces_per_word: mean.
        longest: as given.
        cut_share: share of the texts that are longer, 0 to 1.
        longest_text: in tokens.
        decomposed_texts: how many have conjoining jamo in them, as NFD makes them.
    """
    ids = tokenizer.ids(texts)
    if not tokenizer.is_sentencepiece:
        report = vocabulary_report(tokenizer, texts)
        unknown_words = [entry["word"] for entry in report["unknown_words"]]
    else:
        tokens = [id for row in ids for id in row]
        num_words = sum(len(text.split()) for text in texts)
        unknown = tokens.count(tokenizer.vocabulary.unknown_id)
        report = {
            "num_texts": len(texts),
            "num_words": num_words,
            "pieces_per_word": len(tokens) / max(num_words, 1),
            "unknown_piece_rate": unknown / max(len(tokens), 1),
        }
        unknown_words = []
    lengths = [len(row) + 2 for row in ids]
    names = ("num_texts", "num_words", "unknown_piece_rate", "pieces_per_word")
    return {name: report[name] for name in names} | {
        "unknown_words": unknown_words,
        "longest": longest,
        "cut_share": sum(n > longest for n in lengths) / len(lengths),
        "longest_text": max(lengths),
        "decomposed_texts": sum(bool(_JAMO.search(text)) for text in texts),
    }


def unknown_tokens(case: Case, figures: dict) -> Iterator[Finding]:
    """Few tokens of the texts are [UNK]."""
    rate = figures["unknown_piece_rate"]
    for level, least in _UNKNOWN.items():
        if rate >= least:
            words = figures["unknown_words"]
            example = f"; most often {quoted(words, _SHOWN)}" if words else ""
            yield Finding(
                level,
                f"{rate:.1%} of the tokens of the texts are unknown{example}. What "
                "they say is lost to the model.",
                "See to the findings on capitals and Hangul first; then add what is "
                "missing (kbert extend-vocab), or take a model of this language.",
            )
            return


def pieces_per_word(case: Case, figures: dict) -> Iterator[Finding]:
    """Words are not cut into crumbs."""
    mean = figures["pieces_per_word"]
    if mean > _PIECES_PER_WORD:
        yield Finding(
            "warning",
            f"A word is cut into {mean:.1f} pieces, where 1.2 (English) to 2.5 "
            "(Korean) are usual: the vocabulary is of another language or subject.",
            "Take a model of this language; or learn a vocabulary (kbert vocab) and "
            "pre-train.",
        )


def cut_texts(case: Case, figures: dict) -> Iterator[Finding]:
    """Texts are short enough to be read whole."""
    share = figures["cut_share"]
    if share:
        yield Finding(
            "warning" if share >= _CUT else "note",
            f"{share:.1%} of the texts are longer than the {figures['longest']} tokens "
            f"that the model reads, the longest {figures['longest_text']:,}: the rest "
            "of them is cut off.",
            "Cut texts into parts, or see that what matters comes first.",
        )


def decomposed_text(case: Case, figures: dict) -> Iterator[Finding]:
    """Korean text is in syllables (NFC), as the vocabulary is."""
    count = figures["decomposed_texts"]
    if count and not case.decomposes and not case.is_sentencepiece:
        yield Finding(
            "warning",
            f"{count:,} of {figures['num_texts']:,} texts have Hangul in decomposed "
            "form (NFD, as file names of macOS): it looks like syllables and is looked "
            "up as jamo, ᄒ ᅡ ᆫ in place of 한.",
            'Bring the texts into NFC first: unicodedata.normalize("NFC", text).',
        )
