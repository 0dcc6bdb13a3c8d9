"""How the reports spell numbers, scores and names."""

import math
import re

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
    """0.87654 -> 87.65%; what is not a number is a dash."""
    return "–" if math.isnan(share) else f"{share:.2%}"


def number(value: float) -> str:
    """1234 -> 1,234; 0.87654 -> 0.8765; 2e-05 -> 2e-05; not a number is a dash."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if 0 < abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.2f}"


def rounded(count: int) -> str:
    """A large count in few characters: 12345678 -> 12.3 M; 123456 -> 123,456."""
    for size, unit in ((10**9, "B"), (10**6, "M")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:,}"


def score(name: str, value: float) -> str:
    """Shares as percent, all else as a number.

    accuracy 0.87654 -> 87.65%; pearson 0.87654 -> 0.8765; num_examples 500 -> 500
    """
    is_share = not isinstance(value, int) and not any(
        part in name.lower() for part in _NOT_SHARES
    )
    return percent(value) if is_share and 0 <= value <= 1 else number(value)


def words(name: str) -> str:
    """A score's name in words: entity_f1 -> entity F1."""
    return " ".join(_SPELLED.get(word, word) for word in name.split("_"))


def cut(text: str, longest: int) -> str:
    """The beginning of a text that is too long, and how much more there is.

    abcdefgh, 5 -> abcde … (3 more characters)
    """
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def language(text: str) -> str:
    """For the attribute `lang`: ko where there is Hangul, else "", which is unknown."""
    return "ko" if _HANGUL.search(text) else ""
