"""A vocabulary learned from text files, as a directory that pre-training takes."""

from pathlib import Path

from kbert.checkpoints.atomic import refuse_existing, write_directory
from kbert.checkpoints.model_directory import write_tokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary_learner import learn_vocabulary


def vocab(
    corpus: list[str],
    output: str,
    vocabulary_size: int = 16000,
    lowercase: bool = False,
    max_alphabet: int | None = None,
    min_frequency: int = 2,
    overwrite: bool = False,
) -> Path:
    """Learn a WordPiece vocabulary from text files.

    Args:
        corpus: text files, or directories of *.txt; UTF-8.
        output: the directory to write: vocab.txt and tokenizer_config.json.
        vocabulary_size: most tokens, the five special ones counted.
        lowercase: lower-case the text and drop accents, as uncased English models do;
            leave it off for Korean, whose syllables it takes apart.
        max_alphabet: most characters kept; by default an eighth of the vocabulary.
        min_frequency: pieces seen less often are not learned.
        overwrite: replace an output directory that exists.
    """
    output = refuse_existing(output, overwrite)
    vocabulary = learn_vocabulary(
        corpus,
        vocabulary_size,
        lowercase=lowercase,
        max_alphabet=max_alphabet,
        min_frequency=min_frequency,
    )
    tokenizer = BertTokenizer(vocabulary, lowercase=lowercase)
    with write_directory(output, overwrite) as aside:
        write_tokenizer(tokenizer, aside)
    print(f"{len(vocabulary):,} tokens, the last one learned: {vocabulary.tokens[-1]}")
    return output
