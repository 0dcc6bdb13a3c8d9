"""Requests taken apart into rows, rows put together to answers; what a run costs."""

import itertools
import operator

import numpy as np

from kbert.signatures import WINDOWED, Signature

# Bytes of UTF-8 behind one token, on the low side: a Korean syllable has three, and
# WordPiece makes about 1.8 tokens of a Korean word of three syllables and a space.
BYTES_PER_TOKEN = 4
_ROUND_LENGTH_TO = 8  # tokens; fewer lengths to choose among
_AT_ONCE = 256  # rows of one turn
# Of what is learned of the costs:
_FORGETTING = 0.98  # weight of what was measured one run before
_BEFORE = 256.0  # tokens, until enough is known
_FEWEST, _MOST = 8.0, 4096.0  # tokens
_LEAST_WEIGHT = 10.0  # of the measurements that are trusted
_FILLING = {"O": b"", "i": -1, "f": 0.0, "b": False}


def batch_inputs_of(inputs: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """Inputs with a row for each text, and those given once for all of them.

    A number given once for each text (B,), as rows of JSON have it, goes with the text.
    """
    texts = {name: x for name, x in inputs.items() if x.ndim}
    return texts, {name: x for name, x in inputs.items() if not x.ndim}


def row_tokens(texts: dict[str, np.ndarray], card: dict, name: str) -> np.ndarray:
    """An estimate of the tokens that each row is computed for, int64 (B,).

        >>> texts = {"text": np.array(["가나다라".encode(), b"ab"], object)}
        >>> row_tokens(texts, card={}, name="classify").tolist()  # of 12 and 2 bytes
        [5, 2]

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
    """Of a text, or of all the texts of a row."""
    if isinstance(text, np.ndarray):
        return sum(map(_num_bytes, text))
    return len(text) if isinstance(text, bytes) else 1


class WaitingRows:
    """Rows that wait for the same function, in the order in which they have their turn.

    The rows of a request have one turn after the other, the first of them the next: so
    a request of one text need not wait for all of one of a thousand that came before.
    """

    def __init__(self):
        self._rows = []  # (turn, number, request, row), in this order
        self._turn = 0
        self._numbers = itertools.count()

    def __len__(self):
        return len(self._rows)

    def add(self, request) -> None:
        """All rows of a request, which has `tokens`, int (B,)."""
        self._rows += [
            (self._turn + 1 + row, next(self._numbers), request, row)
            for row in range(len(request.tokens))
        ]
        self._rows.sort(key=operator.itemgetter(0, 1))

    def take(self, token_budget: int, is_alone: bool = False) -> list[tuple]:
        """The rows whose turn it is, as long as their tokens stay within the budget.

        Args:
            is_alone: one row is all.

        Returns: (request, row) of each, at least one if any waits.
        """
        most = 1 if is_alone else _AT_ONCE
        ahead = self._rows[:most]
        tokens = [int(request.tokens[row]) for _, _, request, row in ahead]
        count = sum(total <= token_budget for total in itertools.accumulate(tokens))
        taken = ahead[: max(1, count)]
        del self._rows[: len(taken)]
        if taken:
            self._turn = taken[-1][0]
        return [entry[2:] for entry in taken]

    def drop(self, request) -> int:
        """Takes a request's rows out; gives their number."""
        before = len(self._rows)
        self._rows = [entry for entry in self._rows if entry[2] is not request]
        return before - len(self._rows)


def runs_of(
    tokens: np.ndarray, token_budget: int, tokens_of_a_start: float
) -> list[list[int]]:
    """Rows put into runs of like length; the first row is in the first run.

    Filling four rows up to 90 would cost more than another run, one row up to 80 not:

        >>> runs_of(np.array([20, 90, 22, 21, 24]), 4096, tokens_of_a_start=64)
        [[0, 2, 3, 4], [1]]
        >>> runs_of(np.array([20, 80]), 4096, tokens_of_a_start=64)
        [[0, 1]]

    Texts are of all lengths, and each row costs as much as the longest beside it: of 64
    movie reviews at random three quarters would be filling.
    One run per turn takes 1.18 times the CPU time with a tiny model, 1.56 with a mini,
    2.17 with a medium one (64 clients, each a review at a time), on texts of one to
    eight reviews 1.03 with a tiny one; one run per power of two of lengths takes 1.08,
    1.00, 0.97 and 1.23 times. Medians on a Xeon with AVX-512: `benchmarks/run_cost.py`.

    Args:
        tokens: int (N,) of each row.
        token_budget: rows x longest stay within it, if it is more than one row.
        tokens_of_a_start: what starting a run costs.
    """
    lengths = -(-tokens // _ROUND_LENGTH_TO) * _ROUND_LENGTH_TO
    runs = []
    for shortest, longest in best_runs(lengths, tokens_of_a_start):
        rows = np.flatnonzero((shortest <= lengths) & (lengths <= longest))
        most = max(1, token_budget // int(tokens[rows].max()))
        runs += np.split(rows, range(most, len(rows), most))
    return sorted((rows.tolist() for rows in runs), key=operator.itemgetter(0))


def best_runs(lengths: np.ndarray, tokens_of_a_start: float) -> list[tuple[int, int]]:
    """(shortest, longest) of each run, so that all runs cost the least together.

        >>> best_runs([16, 16, 16, 96], 64), best_runs([16, 72], 64)
        ([(96, 96), (16, 16)], [(16, 72)])

    A run costs rows x longest, and what starting it costs. Dynamic programming over the
    lengths that there are.
    """
    distinct, counts = np.unique(lengths, return_counts=True)
    distinct, rows_before = distinct.tolist(), [0, *np.cumsum(counts).tolist()]
    costs, starts = [0], []
    for stop, longest in enumerate(distinct, 1):
        cost, start = min(
            (
                costs[start]
                + tokens_of_a_start
                + longest * (rows_before[stop] - rows_before[start]),
                start,
            )
            for start in range(stop)
        )
        costs.append(cost)
        starts.append(start)
    runs, stop = [], len(distinct)
    while stop:
        runs.append((distinct[starts[stop - 1]], distinct[stop - 1]))
        stop = starts[stop - 1]
    return runs


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
    """Rows back to one answer, filled up to the longest of them; see `rows_of`."""
    return {
        tensor.name: stacked(
            [row[tensor.name] for row in rows],
            object if tensor.dtype == "string" else tensor.dtype,
        )
        for tensor in signature.outputs
    }


def stacked(values, dtype) -> np.ndarray:
    """Values of one rank as one array, filled up where they differ in length.

    >>> stacked([[0, 4], [2]], "int32").tolist()
    [[0, 4], [2, -1]]
    """
    values = [np.array(value, dtype) for value in values]
    shape = np.max([value.shape for value in values], axis=0).astype(int)
    filling = _FILLING[np.dtype(dtype).kind]
    result = np.full((len(values), *shape), filling, dtype)
    for i, value in enumerate(values):
        # An array of objects would take an array without axes for an object.
        place = (i, *map(slice, value.shape))
        result[place] = value if value.ndim else value.item()
    return result


class RunCost:
    """Seconds of a run as start + tokens x each: a line through the last runs.

    A run of a tiny model costs as much to start as 1,000 to 3,500 tokens, of a mini as
    200 to 400, of a medium one as 80; and it is another number on another machine. With
    256 for all, the tiny one takes 1.01 times the CPU time on movie reviews and 1.17 on
    texts of one to eight, the mini 0.96 and 0.94, the medium 1.02 on reviews (64
    clients; medians on a busy Xeon with AVX-512: `benchmarks/run_cost.py`).
    """

    def __init__(self):
        self._sums = [0.0] * 5  # 1, x, xx, y, xy

    def add(self, tokens: int, seconds: float) -> None:
        """A run that was measured; `tokens` with filling."""
        new = (1.0, tokens, tokens * tokens, seconds, tokens * seconds)
        self._sums = [_FORGETTING * s + x for s, x in zip(self._sums, new)]

    @property
    def tokens_of_a_start(self) -> float:
        """How many tokens could be computed in the time that starting a run takes.

        8 to 4,096; 256 until enough runs of different sizes were seen.
        """
        weight, x, xx, y, xy = self._sums
        spread = weight * xx - x * x
        if weight < _LEAST_WEIGHT or spread <= 1e-3 * xx * weight:
            return _BEFORE
        each = (weight * xy - x * y) / spread
        start = (y - each * x) / weight
        if each <= 0:
            return _MOST
        return min(max(start / each, _FEWEST), _MOST)
