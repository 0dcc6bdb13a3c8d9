"""What a run of a model costs, learned while it serves."""

_FORGETTING = 0.98  # weight of what was measured one run before
_BEFORE = 256.0  # tokens, until enough is known
_FEWEST, _MOST = 8.0, 4096.0  # tokens
_LEAST_WEIGHT = 10.0  # of the measurements that are trusted


class RunCost:
    """Seconds of a run as start + tokens x each: a line through the last runs.

    Starting a run of a tiny model costs as much as some hundred tokens, of BERT base as
    much as ten; and it is another number on another machine.
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
