"""A WordPiece vocabulary learned from text files, the same one on every run."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator

from kbert.text.files import decode_utf8, text_files
from kbert.text.reference_tokenizer import (
    is_cjk,
    is_deleted,
    is_punctuation,
    is_whitespace,
)
from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary


def learn_vocabulary(
    files: str | os.PathLike | list,
    vocabulary_size: int = 16000,
    lowercase: bool = False,
    strip_accents: bool | None = None,
    split_on_cjk: bool = True,
    max_alphabet: int | None = None,
    min_frequency: int = 2,
    num_unused: int = 0,
) -> Vocabulary:
    """Learns word pieces from text, for a `BertTokenizer` with the same settings.

    Two passes over the files, line by line: the first counts characters and fixes the
    alphabet, the second counts words and merges pieces (WordPiece trainer of Hugging
    Face's `tokenizers`, which merges the most frequent pair first). Text is brought to
    NFC before, so that Hangul typed as jamo counts as syllables.

    Ids in order: [PAD] [UNK] [CLS] [SEP] [MASK], [unused1]…, the alphabet in the order
    of code points, its "##" continuations, then merged pieces as they were learned. The
    trainer walks hash maps and breaks ties by id; handing it the alphabet in this order
    is what makes two runs agree.

        "ab ab ab", vocabulary_size=10, max_alphabet=2 ->
            [PAD] [UNK] [CLS] [SEP] [MASK] a b ##a ##b ab, ids 0 to 9

    Args:
        files: UTF-8 text files, one path or a list; a directory stands for its *.txt.
        vocabulary_size: most tokens, special ones and alphabet counted.
        lowercase, strip_accents, split_on_cjk: as in `BertTokenizer`.
        max_alphabet: most characters kept, the most frequent first; None means an
            eighth of `vocabulary_size`. Each takes two ids, bare and with "##", but
            for punctuation and ideographs, which take one.
        min_frequency: pairs and characters seen less often are not learned.
        num_unused: tokens [unused1], [unused2], … set aside for later use.

    Raises:
        FileNotFoundError: a path that is not there, a directory without *.txt.
        ValueError: no files, no text in them, bytes that are not UTF-8, or a
            vocabulary that the special tokens and the alphabet alone would overfill.
    """
    paths = text_files(files)
    strip = lowercase if strip_accents is None else strip_accents
    most = max(1, vocabulary_size // 8) if max_alphabet is None else max_alphabet

    counts = Counter()
    for line in _lines(paths, "counting characters", lowercase, strip):
        counts.update(line)
    alphabet = _alphabet(counts, most, min_frequency)
    if not alphabet:
        raise ValueError(
            f"Expected text with characters seen {min_frequency} times or more in "
            f"{', '.join(map(str, paths))}; there is none. Are the files empty?"
        )
    alone = {c for c in alphabet if is_punctuation(c) or (split_on_cjk and is_cjk(c))}
    unused = [f"[unused{i}]" for i in range(1, num_unused + 1)]
    continuations = [f"##{c}" for c in alphabet if c not in alone]
    first = [*SPECIAL_TOKENS.values(), *unused, *alphabet, *continuations]
    if len(first) > vocabulary_size:
        raise ValueError(
            f"vocabulary_size must be at least {len(first)}: {len(SPECIAL_TOKENS)} "
            f"special tokens, {num_unused} unused and {len(alphabet)} characters with "
            f"{len(continuations)} continuations; got {vocabulary_size}. Raise it, or "
            "lower max_alphabet."
        )
    # Continuations no word should hold, but that the trainer would number as it meets
    # them where its Unicode tables differ from Python's; they are dropped below.
    dropped = [f"##{c}" for c in sorted(alone)]
    lines = _lines(paths, "counting words", lowercase, strip)
    learned = _train(
        lines,
        vocabulary_size + len(dropped),
        [*first, *dropped],
        alphabet,
        split_on_cjk,
        min_frequency,
    )
    return Vocabulary([*first, *learned][:vocabulary_size])


def _train(lines, vocabulary_size, first, alphabet, split_on_cjk, min_frequency):
    """Merged pieces in the order learned; `first` are the ids 0, 1, … before them."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=split_on_cjk,
        strip_accents=False,
        lowercase=False,
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        show_progress=False,
        special_tokens=list(first),
        # Ours outranks the trainer's own count, and nothing else fits the limit.
        initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
    )
    tokenizer.train_from_iterator(lines, trainer)
    ids = tokenizer.get_vocab()
    known = set(first)
    return [token for token in sorted(ids, key=ids.get) if token not in known]


def _alphabet(counts: Counter, most: int, min_frequency: int) -> list[str]:
    """The characters to keep, in code point order; ties go to the lower code point."""
    kept = [
        character
        for character, count in counts.items()
        if count >= min_frequency
        and not is_whitespace(character)
        and not is_deleted(character)
    ]
    kept.sort(key=lambda character: (-counts[character], character))
    return sorted(kept[:most])


def _lines(paths, label, lowercase, strip_accents) -> Iterator[str]:
    """The lines of all files, NFC, then lower-cased and without accents if asked."""
    from tqdm import tqdm

    total = sum(os.path.getsize(path) for path in paths)
    progress = tqdm(
        total=total, desc=label, unit="B", unit_scale=True, disable=None, leave=False
    )
    with progress:
        for path in paths:
            with open(path, "rb") as file:
                for number, data in enumerate(file, 1):
                    progress.update(len(data))
                    line = decode_utf8(data, path, number)
                    line = unicodedata.normalize("NFC", line)
                    if lowercase:
                        line = line.lower()
                    if strip_accents:
                        line = unicodedata.normalize("NFD", line)
                        line = "".join(
                            c for c in line if unicodedata.category(c) != "Mn"
                        )
                    yield line
