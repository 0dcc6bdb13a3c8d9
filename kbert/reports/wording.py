"""How the reports spell numbers, scores and names."""

import math
import re
from collections.abc import Iterable

# Scores that lie between 0 and 1 often, but are no shares of anything.
_NOT_SHARES = ("pearson", "spearman", "matthews", "mcc", "loss", "error", "mse", "mae")
_NOT_SHARES += ("threshold", "diff", "rate", "norm", "perplexity")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_SPELLED = {
    "f1": "F1",
    "klue": "KLUE",
    "korquad": "KorQuAD",
    "lm": "LM",
    "mae": "MAE",
    "matthews": "Matthews",
    "mcc": "MCC",
    "mse": "MSE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


def percent(share: float) -> str:
    """A share in percent; what is not a number is a dash.

    >>> percent(0.87654)
    '87.65%'
    """
    return "–" if math.isnan(share) else f"{share:.2%}"


def number(value: float) -> str:
    """A number in four digits; what is not a number is a dash.

    >>> number(1234), number(0.87654), number(2e-05)
    ('1,234', '0.8765', '2e-05')
    """
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if 0 < abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.2f}"


def rounded(count: int) -> str:
    """A large count in few characters.

    >>> rounded(12345678), rounded(123456)
    ('12.3 M', '123,456')
    """
    for size, unit in ((10**9, "B"), (10**6, "M")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:,}"


def score(name: str, value: float) -> str:
    """Shares as percent, all else as a number.

    >>> score("accuracy", 0.87654), score("pearson", 0.87654), score("epochs", 500)
    ('87.65%', '0.8765', '500')
    """
    is_share = not isinstance(value, int) and not any(
        part in name.lower() for part in _NOT_SHARES
    )
    return percent(value) if is_share and 0 <= value <= 1 else number(value)


def words(name: str) -> str:
    """A score's name in words.

    >>> words("entity_f1")
    'entity F1'
    """
    return " ".join(_SPELLED.get(word, word) for word in name.split("_"))


def cut(text: str, longest: int) -> str:
    """The beginning of a text that is too long, and how much more there is.

    >>> cut("abcdefgh", 5)
    'abcde … (3 more characters)'
    """
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def language(texts: Iterable[str]) -> str:
    """For the attribute `lang`: ko where there is Hangul, else "", which is unknown.

    >>> language(["in Ulm"]), language(["in ", "서울"])
    ('', 'ko')
    """
    return "ko" if any(map(_HANGUL.search, texts)) else ""
