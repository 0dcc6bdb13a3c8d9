"""What the tokenizers of WordPiece have in common, in the graph and in plain Python."""

from kbert.text.vocabulary import SPECIAL_TOKENS

# Longer words become the unknown token, where the tokenizer is not told otherwise.
MAX_CHARACTERS_PER_WORD = {"google": 200, "huggingface": 100}


def longest_word(max_characters_per_word: int | None, compatibility: str) -> int:
    """The most characters of a word, of a tokenizer with these settings.

    Raises:
        ValueError: below 1.
    """
    if max_characters_per_word is None:
        return MAX_CHARACTERS_PER_WORD[compatibility]
    if max_characters_per_word < 1:
        raise ValueError(
            "max_characters_per_word must be at least 1; got "
            f"{max_characters_per_word}."
        )
    return max_characters_per_word


def word_piece_config(tokenizer) -> dict:
    """The arguments that the tokenizers of WordPiece share; what JSON can hold.

    The vocabulary is its tokens, or a dict of `Vocabulary`'s arguments where special
    tokens are spelled otherwise than Google's, or tokens were added.
    """
    vocabulary = tokenizer.vocabulary.arguments()
    is_plain = tokenizer.vocabulary.special_tokens == tuple(SPECIAL_TOKENS.values())
    if is_plain and not tokenizer.vocabulary.added_tokens:
        vocabulary = vocabulary["tokens"]
    names = (
        "lowercase",
        "strip_accents",
        "split_on_cjk",
        "max_characters_per_word",
        "compatibility",
        "special_tokens_in_text",
    )
    return {"vocabulary": vocabulary} | {n: getattr(tokenizer, n) for n in names}


def filled_word_piece(before: str, token: str, after: str) -> str:
    """A text with a token in place of a mask; what continues a word joins it.

    >>> filled_word_piece("영화 ", "좋", "다"), filled_word_piece("영화 ", "##가", "")
    ('영화 좋다', '영화가')
    """
    if token.startswith("##"):
        return before.rstrip() + token[2:] + after
    return before + token + after
