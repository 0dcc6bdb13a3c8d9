"""Do kbert's tokenizers give the ids of the reference? Tried on everything at hand.

In "google" mode the graph's `BertTokenizer` is held against the pure-Python
`ReferenceTokenizer`; in "huggingface" mode both are held against the Rust library
`tokenizers`. First the words that a text is cut into, for every setting; then the ids,
for every vocabulary.

    python benchmarks/tokenizer_parity.py --vocabularies VOCAB.txt … --texts FILE.txt …

Words: every code point of Unicode alone, between "a" and "b", and between 가 and 나;
and random strings of mixed scripts, combining marks, controls and emoji, dealt to the
settings in turn. Ids: every distinct word, whole lines, and random strings; then
offsets. Prints counts tried and mismatches; exit code 1 if there are any.
"""

import argparse
import itertools
import os
import random
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import tensorflow as tf
import tokenizers
from tqdm import tqdm

import kbert
from kbert.text.normalizer import Normalizer

EDITIONS = ("google", "huggingface")
CODEPOINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SETTINGS = [
    {"lowercase": lowercase, "strip_accents": strip, "split_on_cjk": cjk}
    for lowercase, strip, cjk in itertools.product((False, True), repeat=3)
]
# Settings that vocabularies are tried with beside their usual ones.
OTHERS = [
    {"lowercase": False},
    {"lowercase": True},
    {"lowercase": True, "strip_accents": False},
    {"strip_accents": True, "max_characters_per_word": 20},
    {"split_on_cjk": False},
]
BATCH = 4096

# Where random strings take their characters from: (first, last, weight).
SCRIPTS = [
    (0x20, 0x7E, 30),  # ASCII
    (0xAC00, 0xD7A3, 25),  # Hangul syllables
    (0x1100, 0x11FF, 4),  # Hangul jamo
    (0x3130, 0x318F, 3),
    (0xA0, 0x24F, 8),  # Latin with accents
    (0x300, 0x36F, 8),  # combining marks
    (0x370, 0x3FF, 8),  # Greek
    (0x400, 0x52F, 4),  # Cyrillic
    (0x590, 0x6FF, 4),  # Hebrew, Arabic
    (0x900, 0xDFF, 5),  # Indic
    (0xE00, 0xFFF, 3),  # Thai, Lao, Tibetan
    (0x1B00, 0x1BFF, 3),
    (0x1E00, 0x1FFF, 4),
    (0x2000, 0x206F, 6),  # spaces, controls
    (0x2070, 0x2BFF, 3),
    (0x3000, 0x30FF, 5),  # Kana
    (0x4E00, 0x9FFF, 6),
    (0xA640, 0xABFF, 3),
    (0xE000, 0xF8FF, 1),  # private use
    (0xF900, 0xFFFF, 4),
    (0x10000, 0x1FFFF, 4),
    (0x1D165, 0x1D172, 3),  # marks of musical symbols, which move
    (0x1F300, 0x1FAFF, 5),  # emoji
    (0x20000, 0x2FA1F, 2),
    (0x0, 0x1F, 4),  # controls
    (0x7F, 0x9F, 2),
    (0x0, 0x10FFFF, 2),
]
FAVOURITES = "Σσς İıß ﬁ①  \u200b\u200d\ufeff\u00ad[MASK][SEP]##'’.,\u0345\u0323\u0301"


def random_strings(count, seed):
    """1 to 40 characters each: whole runs of one script, and single ones."""
    draw = random.Random(seed)
    weights = [weight for *_, weight in SCRIPTS]
    texts = []
    for _ in range(count):
        text, wanted = [], draw.randint(1, 40)
        while len(text) < wanted:
            if draw.random() < 0.15:
                text.append(draw.choice(FAVOURITES))
                continue
            first, last, _ = draw.choices(SCRIPTS, weights)[0]
            for _ in range(draw.randint(1, 4)):
                codepoint = draw.randint(first, last)
                if not 0xD800 <= codepoint < 0xE000:
                    text.append(chr(codepoint))
        texts.append("".join(text))
    return texts


def rust_tokenizer(settings, vocabulary=("[UNK]",)):
    """The Rust library's BERT with the same settings; no special tokens in text."""
    off = {"lowercase": False, "strip_accents": None, "split_on_cjk": True}
    settings = off | settings
    limit = settings.get("max_characters_per_word") or 100
    model = tokenizers.models.WordPiece(
        {token: i for i, token in enumerate(vocabulary)},
        unk_token="[UNK]",
        max_input_chars_per_word=limit,
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings["split_on_cjk"],
        strip_accents=settings["strip_accents"],
        lowercase=settings["lowercase"],
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return tokenizer


class Tally:
    """Counts of what was tried and what differed; shows the first differences."""

    def __init__(self):
        self.tried = self.mismatches = 0

    def compare(self, what, texts, ours, theirs):
        self.tried += len(texts)
        if ours == theirs:
            return
        for text, got, expected in zip(texts, ours, theirs, strict=True):
            if got != expected:
                self.mismatches += 1
                if self.mismatches <= 10:
                    print(f"  {what}: {text!a}\n    {got!a}\n    {expected!a}")

    def line(self, name):
        print(
            f"{name:58s} {self.tried:12,d} tried {self.mismatches:8,d} mismatches",
            flush=True,
        )


def batches(texts):
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def words_tally(texts, settings, edition, label):
    """The words before WordPiece: graph, twin and, in its edition, the Rust library."""
    tally = Tally()
    graph = Normalizer(**settings, compatibility=edition)
    twin = kbert.ReferenceTokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        **settings,
        compatibility=edition,
    )
    rust = rust_tokenizer(settings) if edition == "huggingface" else None
    for batch in tqdm(list(batches(texts)), desc=label, leave=False, disable=None):
        ours = [line.decode().split() for line in graph(tf.constant(batch)).numpy()]
        expected = [twin.words(text) for text in batch]
        tally.compare("graph and twin", batch, ours, expected)
        if rust is not None:
            normalize = rust.normalizer.normalize_str
            cut = rust.pre_tokenizer.pre_tokenize_str
            theirs = [[word for word, _ in cut(normalize(text))] for text in batch]
            tally.compare("twin and Rust", batch, expected, theirs)
    return tally


def ids_tally(texts, vocabulary, settings, edition, label):
    tally = Tally()
    arguments = {**settings, "compatibility": edition}
    graph = kbert.BertTokenizer(vocabulary, **arguments)
    twin = kbert.ReferenceTokenizer(vocabulary, **arguments)
    rust = None
    if edition == "huggingface":
        rust = rust_tokenizer(settings, vocabulary=graph.vocabulary.tokens)
    for batch in tqdm(list(batches(texts)), desc=label, leave=False, disable=None):
        ids = graph(tf.constant(batch))
        flat, ends = ids.flat_values.numpy().tolist(), ids.row_splits.numpy().tolist()
        ours = [flat[start:end] for start, end in itertools.pairwise(ends)]
        if rust is None:
            tally.compare("graph and twin", batch, ours, twin(batch))
        else:
            theirs = [e.ids for e in rust.encode_batch(batch, add_special_tokens=False)]
            tally.compare("graph and Rust", batch, ours, theirs)
            tally.compare("twin and Rust", batch, twin(batch), theirs)
    return tally


def offsets_tally(texts, vocabulary, settings, edition):
    """Offsets of graph and twin; and what they promise of the original text."""
    tally = Tally()
    arguments = {**settings, "compatibility": edition}
    graph = kbert.BertTokenizer(vocabulary, **arguments)
    twin = kbert.ReferenceTokenizer(vocabulary, **arguments)
    for batch in batches(texts):
        ids, starts, limits = graph.tokenize_with_offsets(tf.constant(batch))
        rows = zip(ids.to_list(), starts.to_list(), limits.to_list())
        ours = [list(zip(*row)) for row in rows]
        expected = [twin.tokenize_with_offsets(text) for text in batch]
        tally.compare("offsets", batch, ours, expected)
    return tally


def read_lines(paths, count, seed=0):
    """Up to `count` lines of all files together, and every distinct word."""
    lines, words = [], set()
    for path in paths:
        found = Path(path).read_text("utf-8").split("\n")
        lines += [line for line in found if line]
        for line in found:
            words.update(line.split())
    random.Random(seed).shuffle(lines)
    return lines[:count], sorted(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vocabularies", nargs="+", required=True)
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--random", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    everything = Tally()

    def record(name, tally):
        tally.line(name)
        everything.tried += tally.tried
        everything.mismatches += tally.mismatches

    contexts = (
        CODEPOINTS,
        [f"a{c}b" for c in CODEPOINTS],
        [f"가{c}나" for c in CODEPOINTS],
    )
    codepoints = list(itertools.chain(*contexts))
    strings = random_strings(options.random, options.seed)
    lines, words = read_lines(options.texts, options.lines)
    print(
        f"{len(codepoints):,} strings of single code points, {len(strings):,} random "
        f"strings, {len(words):,} distinct words, {len(lines):,} lines"
    )
    for edition in EDITIONS:
        for i, settings in enumerate(SETTINGS):
            on = [name for name, value in settings.items() if value]
            name = f"{edition} words, {' '.join(on) or 'all off'}"
            texts = [*codepoints, *strings[i :: len(SETTINGS)]]
            record(name, words_tally(texts, settings, edition, name))
    for edition in EDITIONS:
        for i, path in enumerate(options.vocabularies):
            name = Path(path).stem
            usual = {"lowercase": "uncased" in name or "chinese" in name}
            texts = [*words, *lines, *strings[i :: len(options.vocabularies)]]
            label = f"{edition} ids, {name}, {usual}"
            record(label, ids_tally(texts, path, usual, edition, label))
            for settings in OTHERS:
                label = f"{edition} ids, {name}, {settings}"
                record(label, ids_tally(lines[:20_000], path, settings, edition, label))
        for settings in OTHERS:
            label = (
                f"{edition} offsets, {Path(options.vocabularies[0]).stem}, {settings}"
            )
            texts = [*lines[:20_000], *strings[:20_000]]
            path = options.vocabularies[0]
            record(label, offsets_tally(texts, path, settings, edition))
    everything.line("all")
    return 1 if everything.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
