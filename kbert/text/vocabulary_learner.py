"""A WordPiece vocabulary learned from text, the same one on every run."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator

from kbert.disk.text_lines import decode_utf8, text_files
from kbert.text.characters import is_cjk, is_punctuation
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from kbert.text.vocabulary_change import extend_vocabulary
from kbert.text.word_counts import count_words

# Words, with repetition, that the trainer is given at most: 4 seconds per 10 million.
MAX_TRAINER_WORDS = 200_000_000
_SPECIAL = tuple(SPECIAL_TOKENS.values())
_BLOCK = 2000  # words per string given to the trainer


def learn_vocabulary(
    files: str | os.PathLike | list,
    vocabulary_size: int = 16000,
    lowercase: bool = False,
    strip_accents: bool | None = None,
    split_on_cjk: bool = True,
    max_alphabet: int | None = None,
    min_frequency: int = 2,
    num_unused: int = 0,
    user_tokens: Iterable = (),
) -> Vocabulary:
    """Learns word pieces from text files, for a `BertTokenizer` with the same settings.

    The defaults are for Korean: cased, accents kept (their removal takes syllables
    apart), and an alphabet with a limit, as the rare syllables and ideographs of a
    large corpus would fill the vocabulary.

    One pass over the files counts words, cut as the tokenizer cuts them (`count_words`,
    in bounded memory); the counts fix the alphabet, and the WordPiece trainer of
    Hugging Face's `tokenizers` merges pieces, the most frequent pair first. Text is
    brought to NFC before, so that Hangul typed as jamo counts as syllables.

    Ids in order: [PAD] [UNK] [CLS] [SEP] [MASK], [unused1]…, the user's tokens, the
    alphabet in the order of code points, its "##" continuations, then merged pieces as
    they were learned. The trainer walks hash maps and breaks ties by id; handing it the
    alphabet in this order is what makes two runs agree.

    `learn_vocabulary_from_texts` has an example.

    Args:
        files: UTF-8 text files, one path or a list; a directory stands for its *.txt.
            They are read line by line.
        vocabulary_size: most tokens, special ones and alphabet counted.
        lowercase, strip_accents, split_on_cjk: as in `BertTokenizer`.
        max_alphabet: most characters kept, the most frequent first; None means an
            eighth of `vocabulary_size`. Each takes two ids, bare and with "##", but
            for punctuation and ideographs, which take one.
        min_frequency: pairs and characters seen less often are not learned.
        num_unused: tokens [unused1], [unused2], … set aside for later use.
        user_tokens: tokens that texts hold whole, whatever is in them (entity markers,
            URLs), as they are typed; or dicts of `AddedToken`'s fields. Nothing is
            learned from their characters.

    Raises:
        FileNotFoundError: a path that is not there, a directory without *.txt.
        ValueError: no files, no text in them, bytes that are not UTF-8, or a
            vocabulary that the special tokens and the alphabet alone would overfill.
    """
    paths = text_files(files)
    return _learned(
        _lines(paths),
        ", ".join(map(str, paths)),
        _rules(user_tokens, num_unused, lowercase, strip_accents, split_on_cjk),
        vocabulary_size,
        max_alphabet,
        min_frequency,
    )


def learn_vocabulary_from_texts(
    texts: Iterable[str],
    vocabulary_size: int = 16000,
    lowercase: bool = False,
    strip_accents: bool | None = None,
    split_on_cjk: bool = True,
    max_alphabet: int | None = None,
    min_frequency: int = 2,
    num_unused: int = 0,
    user_tokens: Iterable = (),
) -> Vocabulary:
    """As `learn_vocabulary`, from strings: the lines of a file give what the file does.

        >>> learned = learn_vocabulary_from_texts(["ab ab", "ab"], 10, max_alphabet=2)
        >>> print(*learned.tokens)
        [PAD] [UNK] [CLS] [SEP] [MASK] a b ##a ##b ab

    Args:
        texts: any iterable, a generator as well; it is read once, text by text.
        vocabulary_size, lowercase, strip_accents, split_on_cjk, max_alphabet,
            min_frequency, num_unused, user_tokens: as there.

    Raises:
        TypeError: a text that is not a string.
        ValueError: one string in place of the texts, no text in them, or a vocabulary
            that the special tokens and the alphabet alone would overfill.
    """
    from tqdm import tqdm

    if isinstance(texts, str):
        raise ValueError(
            f"texts must be an iterable of strings; got the string {texts[:20]!r}. Put "
            "it in a list; learn_vocabulary takes paths."
        )
    return _learned(
        tqdm(texts, "counting words", unit=" texts", disable=None, leave=False),
        "the texts",
        _rules(user_tokens, num_unused, lowercase, strip_accents, split_on_cjk),
        vocabulary_size,
        max_alphabet,
        min_frequency,
    )


def _rules(user_tokens, num_unused, *settings):
    """A tokenizer of the tokens that come first, for its rules for words."""
    unused = [f"[unused{i}]" for i in range(1, num_unused + 1)]
    vocabulary = extend_vocabulary(
        Vocabulary([*_SPECIAL, *unused]), user_tokens=user_tokens
    )
    return ReferenceTokenizer(vocabulary, *settings)


def _learned(texts, source, tokenizer, vocabulary_size, max_alphabet, min_frequency):
    """The vocabulary; of `tokenizer` its rules for words are used, and its tokens."""
    whole = {token.content for token in tokenizer.vocabulary.added_tokens}

    def words(chunk):
        return [word for word in tokenizer.words(chunk) if word not in whole]

    counts = count_words(texts, words if whole else tokenizer.words)
    most = max(1, vocabulary_size // 8) if max_alphabet is None else max_alphabet
    alphabet = _alphabet(counts.characters, most, min_frequency)
    if not alphabet:
        raise ValueError(
            f"Expected text with characters seen {min_frequency} times or more in "
            f"{source}; there is none. Are the files empty?"
        )
    alphabet = [c for c in alphabet if c not in whole]
    continuations = [
        f"##{c}"
        for c in alphabet
        if not (is_punctuation(c) or (tokenizer.split_on_cjk and is_cjk(c)))
    ]
    set_aside = tokenizer.vocabulary.tokens
    first = [*set_aside, *alphabet, *continuations]
    if len(first) > vocabulary_size:
        num_others = len(set_aside) - len(SPECIAL_TOKENS)
        raise ValueError(
            f"vocabulary_size must be at least {len(first)}: {len(SPECIAL_TOKENS)} "
            f"special tokens, {num_others} unused or yours and {len(alphabet)} "
            f"characters with {len(continuations)} continuations; got "
            f"{vocabulary_size}. Raise it, or lower max_alphabet."
        )
    learned = _train(counts.words, vocabulary_size, first, alphabet, min_frequency)
    return Vocabulary(
        [*first, *learned], added_tokens=tokenizer.vocabulary.added_tokens
    )


def _alphabet(counts: Counter, most: int, min_frequency: int) -> list[str]:
    """The characters to keep, in code point order; ties go to the lower code point."""
    kept = [c for c, count in counts.items() if count >= min_frequency]
    kept.sort(key=lambda character: (-counts[character], character))
    return sorted(kept[:most])


def _train(words, vocabulary_size, first, alphabet, min_frequency):
    """Merged pieces in the order learned; `first` are the ids 0, 1, … before them."""
    import tokenizers

    # The trainer counts words itself and takes no counts; where they are too many,
    # all counts are divided alike, and words left without one are not learned from.
    divisor = max(1, -(-words.total() // MAX_TRAINER_WORDS))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.CharDelimiterSplit(" ")
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        min_frequency=-(-min_frequency // divisor),
        show_progress=False,
        special_tokens=list(first),
        # Ours outranks the trainer's own count, and nothing else fits the limit.
        initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
    )
    tokenizer.train_from_iterator(_blocks(words, divisor), trainer)
    ids = tokenizer.get_vocab()
    known = set(first)
    return [token for token in sorted(ids, key=ids.get) if token not in known]


def _blocks(words: Counter, divisor: int) -> Iterator[str]:
    """Each word as often as it was seen, over `divisor`, in strings of many.

    >>> list(_blocks(Counter(a=3, b=1), divisor=1))
    ['a a a b ']
    """
    block, room = [], _BLOCK
    for word, count in words.items():
        count //= divisor
        while count:
            part = min(count, room)
            block.append(f"{word} " * part)
            count -= part
            room -= part
            if not room:
                yield "".join(block)
                block, room = [], _BLOCK
    yield "".join(block)


def _lines(paths) -> Iterator[str]:
    """The lines of all files."""
    from tqdm import tqdm

    total = sum(os.path.getsize(path) for path in paths)
    progress = tqdm(
        total=total,
        desc="counting words",
        unit="B",
        unit_scale=True,
        disable=None,
        leave=False,
    )
    with progress:
        for path in paths:
            with open(path, "rb") as file:
                for number, data in enumerate(file, 1):
                    progress.update(len(data))
                    yield decode_utf8(data, path, number)
