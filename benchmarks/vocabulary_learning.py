"""How long learning a vocabulary takes, and how much memory.

    python benchmarks/vocabulary_learning.py corpus/*.txt --vocabulary-size 32000

Learns once, with the defaults of `kbert.learn_vocabulary`, and prints a table of one
line: size of the text, words between white space, distinct words after punctuation is
split off, tokens learned, seconds in all, and the peak of the process's memory. The
words are counted once more, after the clock has stopped.
"""

import argparse
import resource
import sys
import time

import kbert
from kbert.disk.text_lines import text_files, utf8_lines
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import SPECIAL_TOKENS
from kbert.text.word_counts import count_words

HEADER = "| text, MB | words | distinct | tokens | seconds | peak memory, MB |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", help="text files, or directories of *.txt")
    parser.add_argument("--vocabulary-size", type=int, default=32000)
    options = parser.parse_args()

    paths = text_files(options.files)
    start = time.perf_counter()
    vocabulary = kbert.learn_vocabulary(paths, options.vocabulary_size)
    seconds = time.perf_counter() - start
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

    num_words = sum(len(line.split()) for path in paths for line in utf8_lines(path))
    tokenizer = ReferenceTokenizer(list(SPECIAL_TOKENS.values()))
    lines = (line for path in paths for line in utf8_lines(path))
    distinct = len(count_words(lines, tokenizer.words).words)
    size = sum(path.stat().st_size for path in paths) / 1e6
    print(HEADER)
    print("|---|---|---|---|---|---|")
    print(
        f"| {size:.1f} | {num_words:,} | {distinct:,} | {len(vocabulary):,} "
        f"| {seconds:.1f} | {peak:,.0f} |"
    )


if __name__ == "__main__":
    main()
