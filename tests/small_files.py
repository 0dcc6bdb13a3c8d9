"""Files of examples that a model of 2 layers can learn."""

import numpy as np


def rows(count, seed=0):
    """(text, label): noise of 1 to 12 words, and the word that tells."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        words = rng.choice(list("abcdefgh"), rng.integers(1, 13)).tolist()
        words.insert(rng.integers(0, len(words) + 1), ("good", "bad")[i % 2])
        yield " ".join(words), ("praise", "blame")[i % 2]


def write(path, header, lines):
    text = "\n".join("\t".join(line) for line in [header, *lines])
    path.write_text(text + "\n", "utf-8")
    return str(path)
