"""A vocabulary made larger or smaller; the tokens that stay keep their order.

`kbert.with_vocabulary` moves a model's rows along.
"""

import re
from collections import Counter
from collections.abc import Iterable

from kbert.text.added_tokens import as_added_token
from kbert.text.characters import is_deleted, is_whitespace
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer_protocol import as_tokenizer
from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from kbert.text.word_counts import spaced

_UNUSED = re.compile(r"\[unused\d+\]")


def extend_vocabulary(
    vocabulary: Vocabulary,
    new_tokens: Iterable[str] = (),
    onto_unused: bool = False,
    user_tokens: Iterable = (),
) -> Vocabulary:
    """The vocabulary with tokens more, in the order given.

    Tokens that are there already, or given twice, are skipped: extending twice is
    extending once. The ids of all other tokens stay.

        >>> old = Vocabulary([*SPECIAL_TOKENS.values(), "[unused1]", "a"])
        >>> extend_vocabulary(old, ["b", "a", "##c"]).tokens[5:]
        ('[unused1]', 'a', 'b', '##c')
        >>> extend_vocabulary(old, ["b"], onto_unused=True).tokens[5:]
        ('b', 'a')
        >>> extend_vocabulary(old, user_tokens=["<e>"]).added_tokens[0].content
        '<e>'

    Args:
        vocabulary: the old one; it stays as it is.
        new_tokens: as they stand in a `vocab.txt`: "##" before what continues a word,
            lower-cased for a tokenizer that lower-cases.
        onto_unused: put them in the places of [unused1], [unused2], …, from the lowest
            id on, so that the number of tokens stays; otherwise they are appended.
        user_tokens: tokens that texts hold whole, whatever is in them (entity markers,
            URLs), as they are typed; or dicts of `AddedToken`'s fields. One that is in
            the vocabulary already is found whole from now on.

    Raises:
        ValueError: one string in place of the tokens, a token that no text can give
            (empty, "##" alone, with white space or control characters in it), or fewer
            [unusedN] than new tokens.
    """
    for name, values in (("new_tokens", new_tokens), ("user_tokens", user_tokens)):
        if isinstance(values, str):
            raise ValueError(
                f"{name} must be a list of tokens; got the string {values[:20]!r}. "
                "Put it in a list."
            )
    added = []
    for token in dict.fromkeys(new_tokens):
        _check(token)
        if token not in vocabulary:
            added.append(token)
    whole = list(map(as_added_token, user_tokens))
    for content in dict.fromkeys(token.content for token in whole):
        if content not in vocabulary and content not in added:
            added.append(content)
    tokens = list(vocabulary.tokens)
    if not onto_unused:
        return _changed(vocabulary, tokens + added, whole)
    free = [i for i, token in enumerate(tokens) if _UNUSED.fullmatch(token)]
    if len(free) < len(added):
        raise ValueError(
            f"Expected [unusedN] tokens for {len(added)} new ones; the vocabulary has "
            f"{len(free)}. Leave onto_unused off to append them."
        )
    for i, token in zip(free, added):
        tokens[i] = token
    return _changed(vocabulary, tokens, whole)


def prune_vocabulary(
    tokenizer, texts: Iterable[str], min_count: int = 1, keep: Iterable[str] = ()
) -> Vocabulary:
    """What is left of a vocabulary when only the tokens that texts use stay.

    Kept are the special and the added tokens, every token used `min_count` times or
    more, and each character seen, bare and with "##" where the vocabulary has it, so
    that a word whose longer piece goes is cut into shorter ones. With `min_count` 1 the
    texts are cut exactly as before: the pieces with which a cut that ended in the
    unknown token began are kept as well, or it could now succeed. Memory grows with the
    distinct words.

        >>> learned = ["a", "b", "ab", "##a", "##b", "##ab", "c"]
        >>> tokenizer = ReferenceTokenizer([*SPECIAL_TOKENS.values(), *learned])
        >>> prune_vocabulary(tokenizer, ["ab b", "aab"]).tokens[5:]
        ('a', 'b', 'ab', '##a', '##b', '##ab')

    Args:
        tokenizer: a `ReferenceTokenizer` or `BertTokenizer` with the vocabulary.
        texts: any iterable of strings, read once.
        min_count: how often a token must be used to stay, at least 1.
        keep: tokens that stay anyhow.

    Raises:
        ValueError: `min_count` below 1, one string in place of the texts, texts without
            words, or a token to keep that is not in the vocabulary.
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1; got {min_count}.")
    if isinstance(texts, str):
        raise ValueError(
            f"texts must be an iterable of strings; got the string {texts[:20]!r}. Put "
            "it in a list."
        )
    tokenizer = as_reference(tokenizer)
    vocabulary = tokenizer.vocabulary
    whole = {token.content for token in vocabulary.added_tokens}
    kept = {*vocabulary.special_tokens, *whole, *keep}
    absent = [token for token in sorted(kept) if token not in vocabulary]
    if absent:
        raise ValueError(
            f"Expected tokens of the vocabulary in keep; {absent[0]!r} is not in it."
        )
    chunks = Counter()
    for text in texts:
        chunks.update(spaced(text))
    used, characters = Counter(), set()
    for chunk, count in chunks.items():
        for word in tokenizer.words(chunk):
            if word in whole:
                used[word] += count
                continue
            characters.update(word)
            for piece in vocabulary.cut(word)[0]:
                used[piece] += count
    if not used:
        raise ValueError("Expected texts with words the vocabulary knows; got none.")
    kept.update(token for token, count in used.items() if count >= min_count)
    kept.update(token for c in characters for token in (c, f"##{c}"))
    return _changed(vocabulary, [t for t in vocabulary.tokens if t in kept])


def as_reference(tokenizer) -> ReferenceTokenizer:
    """The `ReferenceTokenizer` that gives the ids of a tokenizer.

    Raises:
        ValueError: neither a `ReferenceTokenizer` nor a `BertTokenizer`.
    """
    return as_tokenizer(tokenizer).as_reference()


def _check(token):
    body = token.removeprefix("##")
    if not body:
        raise ValueError(f"A new token must hold a character; got {token!r}.")
    if any(is_whitespace(c) or is_deleted(c) for c in body):
        raise ValueError(
            f"A new token must hold neither white space nor control characters; got "
            f"{token!r}. Words of a phrase are tokens of their own."
        )


def _changed(vocabulary, tokens, added=()):
    """Other tokens, the special ones spelled as before, those added before kept."""
    special = {name: getattr(vocabulary, name) for name in SPECIAL_TOKENS}
    whole = {t.content: t for t in (*vocabulary.added_tokens, *added)}
    return Vocabulary(tokens, **special, added_tokens=whole.values())
