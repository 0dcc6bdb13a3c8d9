"""Requests taken apart into rows, rows put together to answers."""

import collections
import dataclasses

import numpy as np

from kbert.serving.signatures import WINDOWED, Signature

# Bytes of UTF-8 behind one token, on the low side: a Korean syllable has three, and
# WordPiece makes about 1.8 tokens of a Korean word of three syllables and a space.
BYTES_PER_TOKEN = 4
SHORTEST_CLASS = 16  # tokens; below, it is not worth a run of its own
_FILLING = {"O": b"", "i": -1, "f": 0.0, "b": False}


def batch_inputs_of(inputs: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """Inputs with a row for each text, and those given once for all of them.

    A number given once for each text (B,), as rows of JSON have it, goes with the text.
    """
    texts = {name: x for name, x in inputs.items() if x.ndim}
    return texts, {name: x for name, x in inputs.items() if not x.ndim}


def row_tokens(texts: dict[str, np.ndarray], card: dict, name: str) -> np.ndarray:
    """An estimate of the tokens that each row is computed for, int64 (B,).

    ["가나다라", "ab"] -> [5, 2]: 12 and 2 bytes, and two special tokens

    Never above the length that texts are cut to; those with windows are not cut.
    """
    strings = [column for column in texts.values() if column.dtype == object]
    if not strings:
        return np.ones(len(next(iter(texts.values()), [0])), "int64")
    columns = [[_num_bytes(text) for text in column] for column in strings]
    tokens = 2 + np.sum(columns, axis=0) // BYTES_PER_TOKEN
    if "sequence_length" in card and name not in WINDOWED:
        tokens = np.minimum(tokens, card["sequence_length"])
    return tokens.astype("int64")


def _num_bytes(text):
    return len(text) if isinstance(text, bytes) else 1


def length_class(tokens: int) -> int:
    """Rows of one class are run together: 3 -> 16, 16 -> 16, 17 -> 32, 100 -> 128.

    Texts are of all lengths, and every row costs as much as the longest beside it: of
    64 movie reviews at random three quarters would be filling, of those of one class a
    third.
    """
    return max(SHORTEST_CLASS, 1 << (tokens - 1).bit_length())


@dataclasses.dataclass
class Share:
    """Rows of one class that a request has waiting.

    Attributes:
        request: whose they are.
        rows: numbers of the rows that have not been started.
        tokens: of each row of the request, int (B,).
    """

    request: object
    rows: collections.deque
    tokens: np.ndarray


def taken(
    shares: collections.deque, token_budget: int, is_alone: bool = False
) -> list[tuple]:
    """Takes rows from requests in turn while rows x longest fits the budget.

    Shares without rows left are taken out; the last one that was looked at goes behind
    the others, so that each has its turn.

    Args:
        shares: `Share`s of one class.
        is_alone: one row is all.

    Returns: (request, row) of each row taken; none if nothing waits.
    """
    batch, longest = [], 0
    while shares:
        share = shares[0]
        if not share.rows:
            shares.popleft()
            continue
        tokens = int(share.tokens[share.rows[0]])
        fits = max(longest, tokens) * (len(batch) + 1) <= token_budget
        if batch and (is_alone or not fits):
            break
        batch.append((share.request, share.rows.popleft()))
        longest = max(longest, tokens)
        shares.rotate(-1)
    return batch


def rows_of(outputs: dict[str, np.ndarray], signature: Signature) -> list[dict]:
    """The outputs of a batch, one dict for each row, without what fills up axes."""
    lengths = signature.lengths
    rows = []
    for i in range(len(next(iter(outputs.values())))):
        row = {}
        for tensor in signature.outputs:
            value = outputs[tensor.name][i]
            for axis, letter in enumerate(tensor.shape[1:]):
                if letter in lengths:
                    count = int(outputs[lengths[letter]][i])
                    value = value.take(range(count), axis)
            row[tensor.name] = value
        rows.append(row)
    return rows


def joined(rows: list[dict], signature: Signature) -> dict[str, np.ndarray]:
    """Rows back to one answer, filled up to the longest of them; see `rows_of`.

    starts [0 4] of one row and [2] of another -> [[0 4] [2 -1]]
    """
    return {
        tensor.name: _stacked(
            [row[tensor.name] for row in rows],
            object if tensor.dtype == "string" else tensor.dtype,
        )
        for tensor in signature.outputs
    }


def _stacked(values, dtype):
    values = [np.array(value, dtype) for value in values]
    shape = np.max([value.shape for value in values], axis=0).astype(int)
    filling = _FILLING[np.dtype(dtype).kind]
    result = np.full((len(values), *shape), filling, dtype)
    for i, value in enumerate(values):
        # An array of objects would take an array without axes for an object.
        place = (i, *map(slice, value.shape))
        result[place] = value if value.ndim else value.item()
    return result
