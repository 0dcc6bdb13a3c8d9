"""A tokenized corpus on disk: three flat arrays that are memory-mapped, not read.

documents [["a b", "c"], ["d e f"]], ids a=5 … f=10 ->
    tokens.npy           [5, 6, 7, 8, 9, 10]
    sentence_starts.npy  [0, 2, 3, 6]     in tokens; one more than sentences
    document_starts.npy  [0, 2, 3]        in sentences; one more than documents
"""

import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kbert.disk.whole_directories import write_directory

_CHUNK = 4096  # sentences handed to the tokenizer at once
_HEADER_BYTES = 128


class TokenStore:
    """A store opened for reading; see the module for its arrays.

    Attributes:
        directory: where it lies.
        tokens: int32 (N,), memory-mapped.
        sentence_starts: int64 (S + 1,), in tokens, memory-mapped.
        document_starts: int64 (documents + 1,), in sentences.
        about: what `build_token_store` was told of its making, with the counts.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)
        about = self.directory / "store.json"
        if not about.is_file():
            raise FileNotFoundError(
                f"Expected a token store in {self.directory}; it has no store.json. "
                "Build one with kbert pretrain or build_token_store."
            )
        self.about = json.loads(about.read_text("utf-8"))
        self.tokens = self._open("tokens")
        self.sentence_starts = self._open("sentence_starts")
        self.document_starts = np.array(self._open("document_starts"))

    def _open(self, name):
        return np.load(self.directory / f"{name}.npy", mmap_mode="r")

    @property
    def num_documents(self) -> int:
        return len(self.document_starts) - 1

    @property
    def num_sentences(self) -> int:
        return len(self.sentence_starts) - 1

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)


def build_token_store(
    documents: Iterable[list[str]],
    tokenize: Callable[[list[str]], list[list[int]]],
    directory: str | Path,
    about: dict | None = None,
) -> TokenStore:
    """Tokenizes documents into a store, in memory bounded by one chunk.

    Everything is written to a directory beside and renamed at the end: a store is
    whole or not there. Sentences without tokens and documents without sentences are
    left out. Where every document is one sentence, a warning says what that means.

    Args:
        documents: lists of sentences (`kbert.pretraining.corpus.documents`).
        tokenize: sentences to ids, as `ReferenceTokenizer` or a wrapped
            `BertTokenizer` does.
        directory: where the store shall lie; replaced if it exists.
        about: kept in `store.json` beside the counts.

    Raises:
        ValueError: no document holds a token.
    """
    directory = Path(directory)
    with write_directory(directory, overwrite=True) as aside:
        counts = _write_arrays(documents, tokenize, aside)
        if not counts["num_tokens"]:
            raise ValueError("Expected text to pre-train on; the corpus has no tokens.")
        text = json.dumps((about or {}) | counts, ensure_ascii=False, indent=2)
        (aside / "store.json").write_text(text + "\n", "utf-8")
    if counts["num_sentences"] == counts["num_documents"]:
        warnings.warn(
            "Every document is one sentence: no sentence follows another, and next "
            'sentence prediction has but the answer "random" to learn. Put sentences '
            "that belong together into one document.",
            stacklevel=2,
        )
    return TokenStore(directory)


def _write_arrays(documents, tokenize, directory):
    tokens = _GrowingArray(directory / "tokens.npy", "int32")
    sentences = _GrowingArray(directory / "sentence_starts.npy", "int64")
    starts = _GrowingArray(directory / "document_starts.npy", "int64")
    num_tokens = num_sentences = 0
    for lengths, ids, last in _tokenized(documents, tokenize):
        tokens.append(ids)
        lengths = np.asarray(lengths, "int64")
        ends = num_tokens + np.cumsum(lengths)
        keep = lengths > 0
        sentences.append((ends - lengths)[keep])
        # A document ends after its last sentence; one left without any adds nothing.
        ordinal = num_sentences + np.cumsum(keep)
        starts.append(np.unique(ordinal[np.asarray(last, bool)]))
        num_tokens += int(lengths.sum())
        num_sentences += int(keep.sum())
    sentences.append(np.array([num_tokens]))
    tokens.close(), sentences.close()
    ends = np.unique(starts.close())
    ends = ends[ends > 0]
    np.save(directory / "document_starts.npy", np.concatenate([[0], ends]))
    return {
        "num_documents": len(ends),
        "num_sentences": num_sentences,
        "num_tokens": num_tokens,
    }


def _tokenized(documents, tokenize):
    """Yields (lengths, flat ids, is the last of its document), a chunk at a time."""
    sentences, last = [], []

    def flush():
        rows = tokenize(sentences)
        lengths = [len(row) for row in rows]
        flat = np.fromiter((i for row in rows for i in row), "int32", sum(lengths))
        return lengths, flat, last

    with tqdm(desc="tokenizing", unit=" sentences", disable=None) as bar:
        for document in documents:
            sentences += document
            last += [False] * (len(document) - 1) + [True]
            if len(sentences) >= _CHUNK:
                yield flush()
                bar.update(len(sentences))
                sentences, last = [], []
        if sentences:
            yield flush()
            bar.update(len(sentences))


class _GrowingArray:
    """A 1-D `.npy` file that is appended to; the header is written at the end."""

    def __init__(self, path, dtype):
        self.path, self.dtype, self.length = path, np.dtype(dtype), 0
        self.stream = open(path, "wb")  # noqa: SIM115 - closed by close()
        self.stream.write(b"\0" * _HEADER_BYTES)

    def append(self, values):
        self.stream.write(np.ascontiguousarray(values, self.dtype).tobytes())
        self.length += len(values)

    def close(self):
        """Completes the file and gives its array, memory-mapped."""
        fields = {
            "descr": self.dtype.str,
            "fortran_order": False,
            "shape": (self.length,),
        }
        magic = np.lib.format.magic(1, 0)
        size = _HEADER_BYTES - len(magic) - 2
        header = repr(fields).ljust(size - 1) + "\n"
        self.stream.seek(0)
        self.stream.write(magic + size.to_bytes(2, "little") + header.encode("latin1"))
        self.stream.close()
        return np.load(self.path, mmap_mode="r") if self.length else np.empty(0, "i8")
