"""How well a vocabulary fits texts: coverage, unknown tokens, how far words are cut."""

import heapq
from collections import Counter
from collections.abc import Iterable

from kbert.text.characters import is_whitespace
from kbert.text.vocabulary_change import as_reference
from kbert.text.word_counts import spaced

_EXAMPLES = 10  # of each kind
_SHOWN = 5  # of them in the printed report
_WIDTH = 40  # characters of an example there


def vocabulary_report(tokenizer, texts: Iterable[str]) -> dict:
    """Figures of a tokenizer on texts, best on texts it was not learned from.

    A word here is what stands between white space (an eojeol), punctuation included,
    as the tokenizer normalises it. Memory grows with the distinct words.

    Two texts whose words are cut into em ##bed !, a, and [UNK]; of the 9 characters
    embed!aax three are in the vocabulary:

        >>> from kbert.text.reference_tokenizer import ReferenceTokenizer
        >>> tokens = "[PAD] [UNK] [CLS] [SEP] [MASK] em ##bed a !".split()
        >>> report = vocabulary_report(ReferenceTokenizer(tokens), ["embed! a", "ax"])
        >>> [(name, round(report[name], 3)) for name in list(report)[:7]]
        [('num_texts', 2), ('num_words', 3), ('num_pieces', 5),
         ('pieces_per_word', 1.667), ('character_coverage', 0.333),
         ('unknown_piece_rate', 0.2), ('unknown_word_rate', 0.333)]

    Args:
        tokenizer: a `ReferenceTokenizer` or `BertTokenizer`.
        texts: any iterable of strings, read once.

    Returns: a dict that JSON can hold.
        num_texts, num_words, num_pieces: counts.
        pieces_per_word: mean.
        character_coverage: share of the characters of words, 0 to 1, that are in the
            vocabulary themselves, bare or with "##".
        unknown_piece_rate: unknown tokens per token, 0 to 1.
        unknown_word_rate: share of the words that hold an unknown token, 0 to 1.
        vocabulary_size, num_used_tokens: tokens there are, and tokens met.
        longest_pieces: the longest tokens met, `token` and `count`.
        longest_words, most_split_words: `word`, `count` and `pieces`.
        unknown_words: the most frequent with an unknown token, `word` and `count`.

    Raises:
        ValueError: one string in place of the texts, or texts without words.
    """
    if isinstance(texts, str):
        raise ValueError(
            f"texts must be an iterable of strings; got the string {texts[:20]!r}. Put "
            "it in a list."
        )
    tokenizer = as_reference(tokenizer)
    vocabulary = tokenizer.vocabulary
    num_texts, words = _words(texts)
    used, characters = Counter(), Counter()
    pieces_of = {}
    for word, count in words.items():
        parts = tokenizer.words(word)
        if not parts:  # control characters alone
            continue
        pieces_of[word] = tokenizer.tokenize(word)
        for piece in pieces_of[word]:
            used[piece] += count
        for character in "".join(parts):
            characters[character] += count
    if not pieces_of:
        raise ValueError("Expected texts with words in them; got none.")
    unknown = [w for w, p in pieces_of.items() if vocabulary.unknown_token in p]
    num_words = sum(words[word] for word in pieces_of)
    covered = sum(
        count
        for c, count in characters.items()
        if c in vocabulary or f"##{c}" in vocabulary
    )
    return {
        "num_texts": num_texts,
        "num_words": num_words,
        "num_pieces": used.total(),
        "pieces_per_word": used.total() / num_words,
        "character_coverage": covered / characters.total(),
        "unknown_piece_rate": used[vocabulary.unknown_token] / used.total(),
        "unknown_word_rate": sum(words[word] for word in unknown) / num_words,
        "vocabulary_size": len(vocabulary),
        "num_used_tokens": len(used.keys() - {vocabulary.unknown_token}),
        "longest_pieces": [
            {"token": token, "count": used[token]}
            for token in _top(
                used.keys() - set(vocabulary.special_tokens),
                lambda token: len(token.removeprefix("##")),
            )
        ],
        "longest_words": _examples(pieces_of, words, len),
        "most_split_words": _examples(
            pieces_of, words, lambda word: len(pieces_of[word])
        ),
        "unknown_words": [
            {"word": word, "count": words[word]} for word in _top(unknown, words.get)
        ],
    }


def format_report(report: dict) -> str:
    """The report of `vocabulary_report` as lines to read, figures first.

    2 texts, 3 words, 5 pieces
      pieces per word         1.667
      …
    most frequent words with an unknown:
      ax x 1
    """
    lines = [
        f"{report['num_texts']:,} texts, {report['num_words']:,} words, "
        f"{report['num_pieces']:,} pieces",
        f"  pieces per word         {report['pieces_per_word']:.3f}",
        f"  characters covered      {report['character_coverage']:.3%}",
        f"  pieces that are unknown {report['unknown_piece_rate']:.3%}",
        f"  words with an unknown   {report['unknown_word_rate']:.3%}",
        f"  tokens used             {report['num_used_tokens']:,} of "
        f"{report['vocabulary_size']:,}",
    ]
    tokens = [example["token"] for example in report["longest_pieces"]]
    lines += _listed("longest pieces", [" ".join(map(_short, tokens[:_SHOWN]))])
    for title, key in (
        ("longest words", "longest_words"),
        ("most split words", "most_split_words"),
    ):
        lines += _listed(
            title,
            [
                f"{_short(e['word'])} = {len(e['pieces'])}: "
                f"{_short(' '.join(e['pieces']))}"
                for e in report[key]
            ],
        )
    lines += _listed(
        "most frequent words with an unknown",
        [f"{_short(e['word'])} x {e['count']:,}" for e in report["unknown_words"]],
    )
    return "\n".join(lines)


def _words(texts):
    """How many texts, and how often each word of them."""
    num_texts, chunks = 0, Counter()
    for text in texts:
        num_texts += 1
        chunks.update(spaced(text))
    words = Counter()
    for chunk, count in chunks.items():
        if not chunk.isprintable():  # the rarer spaces are not
            chunk = "".join(" " if is_whitespace(c) else c for c in chunk)
        for word in chunk.split(" "):
            if word:
                words[word] += count
    return num_texts, words


def _examples(pieces_of, words, size):
    return [
        {"word": word, "count": words[word], "pieces": pieces_of[word]}
        for word in _top(pieces_of, size)
    ]


def _top(items, size):
    """The largest, equal ones in code point order."""
    return heapq.nsmallest(_EXAMPLES, items, lambda item: (-size(item), item))


def _listed(title, lines):
    return [f"{title}:", *(f"  {line}" for line in lines[:_SHOWN])] if lines else []


def _short(text):
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
