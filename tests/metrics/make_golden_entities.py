"""Writes golden_entities.json: what seqeval 1.2.2 finds in random tag sequences.

python tests/metrics/make_golden_entities.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

TYPES = ("PER", "LOC", "A-B")


def random_tags(rng, letters, suffix):
    """A sequence of 0 to 12 tags, O or a letter with a type, drawn evenly."""
    tags = []
    for _ in range(rng.integers(13)):
        letter, kind = rng.choice(list(letters)), rng.choice(TYPES)
        named = f"{kind}-{letter}" if suffix else f"{letter}-{kind}"
        tags.append("O" if letter == "O" else named)
    return tags


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    sequences = []
    for letters in ("OBI", "OBIES"):
        for suffix in (False, True):
            for _ in range(15):
                tags = random_tags(rng, letters, suffix)
                entities = [
                    [kind, int(start), int(end) + 1]
                    for kind, start, end in get_entities(list(tags), suffix)
                ]
                sequences.append({"tags": tags, "suffix": suffix, "entities": entities})
    true = [random_tags(rng, "OBI", False) for _ in range(30)]
    predicted = [
        [tag if rng.random() < 0.7 else str(rng.choice(["O", "B-PER"])) for tag in tags]
        for tags in true
    ]
    report = classification_report(true, predicted, output_dict=True, digits=9)
    scores = {
        name: {key: float(value) for key, value in values.items()}
        for name, values in report.items()
    }
    golden = {
        "sequences": sequences,
        "true": true,
        "predicted": predicted,
        "scores": scores,
    }
    path = Path(__file__).with_name("golden_entities.json")
    path.write_text(json.dumps(golden) + "\n", "utf-8")


if __name__ == "__main__":
    main()
