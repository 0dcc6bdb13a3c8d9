"""The corpus of a pre-training: its token store, and what makes it teach little."""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np

from kbert.disk.text_lines import text_files
from kbert.pretraining.batches import PretrainingBatches
from kbert.pretraining.corpus import documents
from kbert.pretraining.token_store import TokenStore, build_token_store

_MANY_UNKNOWN = (
    0.01  # shares: a vocabulary of the corpus leaves hundredths of a percent
)
_MOSTLY_RANDOM = 0.9
_CHUNK = 2**24  # tokens


def open_or_build_store(corpus, tokenizer, directory: Path) -> TokenStore:
    """The token store of these files and this tokenizer, built where it is not yet."""
    files = text_files(corpus)
    settings = tokenizer.get_config()
    settings = {k: v for k, v in settings.items() if k not in ("name", "dtype")}
    facts = [
        [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files],
        settings,
    ]
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, default=str)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    if (directory / "store.json").is_file():
        token_store = TokenStore(directory)
        if token_store.about.get("fingerprint") == fingerprint:
            print(f"using the token store {directory}")
            return token_store
    with warnings.catch_warnings():  # `tell_corpus` says it with the figures
        warnings.filterwarnings("ignore", "Every document is one sentence")
        return build_token_store(
            documents(files),
            lambda sentences: tokenizer(sentences).to_list(),
            directory,
            {"fingerprint": fingerprint, "files": [file.name for file in files]},
        )


def unknown_share(store: TokenStore, unknown_id: int) -> float:
    """The share of a corpus' tokens that are unknown, 0 to 1."""
    parts = range(0, store.num_tokens, _CHUNK)
    count = sum(
        np.count_nonzero(store.tokens[i : i + _CHUNK] == unknown_id) for i in parts
    )
    return int(count) / store.num_tokens


def corpus_facts(
    store: TokenStore,
    tokenizer,
    training: PretrainingBatches,
    held_out: PretrainingBatches,
) -> dict:
    """What run.json tells of a corpus beside its size.

    Returns: `unknown_share` of the tokens; `random_share`, of the pairs of sentences
        those whose second is random, of each side. Who always gives one answer is
        right in this share of the pairs, or in the rest.
    """
    random_share = {"training": training.random_share}
    if held_out.validation:
        random_share["held_out"] = held_out.random_share
    return {
        "unknown_share": unknown_share(store, tokenizer.vocabulary.unknown_id),
        "random_share": random_share,
    }


def tell_corpus(facts: dict, tokenizer, corpus: list[str]) -> None:
    """Prints the shares, and on standard error what of them is in the way.

    Args:
        facts: from `corpus_facts`.
        corpus: the paths, as they were given.
    """
    unknown, shares = facts["unknown_share"], facts["random_share"]
    sides = ", ".join(
        f"{share:.1%} {side.replace('_', ' ')}" for side, share in shares.items()
    )
    token = tokenizer.vocabulary.unknown_token
    print(f"{token}: {unknown:.2%} of the tokens; random pairs of sentences: {sides}")
    if unknown >= _MANY_UNKNOWN:
        print(
            f"Warning: {unknown:.1%} of the tokens are {token}, and what they say is "
            "lost: the vocabulary is of another language or subject, or of text in "
            "lower case. Learn one from this corpus (kbert vocab "
            f"{' '.join(corpus)} --output my-vocab) and pass it as --vocabulary; kbert "
            "tokenize shows which words are unknown.",
            file=sys.stderr,
        )
    most = max(shares.values())
    if most >= _MOSTLY_RANDOM:
        learns = "can learn nothing" if most == 1 else "can learn little"
        print(
            f"Warning: next sentence prediction {learns} from this corpus: {most:.1%} "
            "of its pairs are random, since where a document is one sentence, or a "
            "sentence fills a row, none follows. An accuracy of "
            f"{most:.1%} says nothing there; the masked language model is as it "
            "should be. Give documents of several sentences, one a line with an empty "
            "line between documents, or a greater --sequence-length.",
            file=sys.stderr,
        )
