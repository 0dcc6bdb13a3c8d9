"""Are the ids those of transformers, for tokenizers as transformers 5 saves them?

    python benchmarks/foreign_tokenizers.py --vocabularies bert-base-uncased.txt … \
        --texts corpus.txt … [--lines 600]

Each vocabulary becomes a directory of transformers with two entity markers and a
special token added, saved by transformers itself: `tokenizer.json` without `vocab.txt`.
Lines of the texts, every fifth with a marked part, are then tokenized by transformers,
by kbert in plain Python and by kbert in the graph. One line each: how many differ.
"""

import argparse
import json
import random
import tempfile
import warnings
from pathlib import Path

MARKERS = ["<e1>", "</e1>"]


def lines_of(files: list[str], count: int) -> list[str]:
    """Up to `count` lines of each file that are not blank, marked every fifth."""
    draw = random.Random(1)
    lines = []
    for file in files:
        found = Path(file).read_text("utf-8", errors="replace").split("\n")
        found = [line[:2000] for line in found if line.strip()]
        lines += draw.sample(found, min(count, len(found)))
    return [
        f"<e1>{line[:20]}</e1> {line[20:]}" if i % 5 == 0 else line
        for i, line in enumerate(lines)
    ]


def saved_by_transformers(vocabulary: str, directory: Path):
    """transformers' tokenizer of a vocab.txt, after it saved itself in `directory`."""
    from transformers import BertTokenizer

    from kbert.text.foreign_settings import guessed_settings
    from kbert.text.vocabulary import read_tokens

    source = directory / "source"
    source.mkdir(parents=True)
    tokens = read_tokens(vocabulary)
    (source / "vocab.txt").write_text("\n".join(tokens), "utf-8")
    settings = {"do_lower_case": guessed_settings(tokens)["lowercase"]}
    (source / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    made = BertTokenizer.from_pretrained(source)
    made.add_tokens(MARKERS)
    made.add_special_tokens({"additional_special_tokens": ["[E]"]})
    made.save_pretrained(directory / "saved")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vocabularies", nargs="+", required=True)
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--lines", type=int, default=600)
    options = parser.parse_args()
    from kbert.text.tokenizer_files import load_reference_tokenizer, load_tokenizer

    warnings.simplefilter("ignore")
    texts = lines_of(options.texts, options.lines)
    characters = sum(map(len, texts))
    print(f"{len(texts):,} texts, {characters:,} characters")
    for vocabulary in options.vocabularies:
        with tempfile.TemporaryDirectory() as directory:
            theirs = saved_by_transformers(vocabulary, Path(directory))
            expected = theirs(texts, add_special_tokens=False)["input_ids"]
            differing = []
            for load in (load_reference_tokenizer, load_tokenizer):
                ours = load(Path(directory, "saved")).ids(texts)
                differing.append(sum(a != b for a, b in zip(ours, expected)))
        name = Path(vocabulary).name
        print(f"{name:40} differing: reference {differing[0]}, graph {differing[1]}")


if __name__ == "__main__":
    main()
