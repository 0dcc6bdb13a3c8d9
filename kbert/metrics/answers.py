"""Exact match and F1 of answers, by the rules of SQuAD's and KorQuAD's scorers.

Every score is of one predicted text against the accepted ones of its question, from 0
to 1, and the best of those counts. A question without any accepted text is one without
an answer: the empty prediction scores 1 there, every other 0.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KORQUAD_SYMBOLS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))


def squad_normalize(text: str) -> str:
    """Lower-cased, without ASCII punctuation, articles and superfluous white space.

    >>> squad_normalize("The  U.S.A., an idea")
    'usa idea'
    """
    text = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def korquad_normalize(text: str) -> str:
    """As evaluate-korquad_v1.0.py: quotes and brackets part words, punctuation goes.

        >>> korquad_normalize("《춘향전》(3.1절)")
        '춘향전 31절'

    Of the symbols that stand for a space some are not ASCII; other ASCII punctuation is
    dropped without one. Articles stay.
    """
    text = text.translate(_KORQUAD_SYMBOLS).lower()
    return " ".join(text.translate(_WITHOUT_PUNCTUATION).split())


def squad_exact_match(prediction: str, accepted: Sequence[str]) -> float:
    """1 if the normalised prediction is one of the accepted texts, normalised.

    As in evaluate-v2.0.py, accepted texts of which normalising leaves nothing do not
    count, unless there are no others: then there is no answer.
    """
    return _best(_equal, squad_normalize, prediction, _with_content(accepted))


def squad_f1(prediction: str, accepted: Sequence[str]) -> float:
    """F1 of the bags of words that normalising leaves.

        >>> squad_f1("the old bridge", ["the bridge"])  # precision 1/2, recall 1/1
        0.6666666666666666

    As in evaluate-v2.0.py, two empty bags are equal (evaluate-v1.1.py gave them 0).
    """
    return _best(_word_f1, squad_normalize, prediction, _with_content(accepted))


def korquad_exact_match(prediction: str, accepted: Sequence[str]) -> float:
    """1 if the normalised prediction is one of the accepted texts, normalised."""
    return _best(_equal, korquad_normalize, prediction, accepted or [""])


def korquad_f1(prediction: str, accepted: Sequence[str]) -> float:
    """F1 of the bags of characters that normalising leaves, white space apart.

        >>> korquad_f1("서울에서", ["서울"])  # precision 2/4, recall 2/2
        0.6666666666666666

    As published, 0 where nothing is left of either text. KorQuAD 1.0 has no questions
    without answer; with none accepted the rule of SQuAD 2.0 holds.
    """
    if not accepted:
        return float(not korquad_normalize(prediction))
    return _best(_character_f1, korquad_normalize, prediction, accepted)


def best_no_answer_threshold(
    doubts: Sequence[float], if_answered: Sequence[float], if_empty: Sequence[float]
) -> tuple[float, float]:
    """The highest mean score that a threshold of doubt gives, and that threshold.

        >>> best_no_answer_threshold(
        ...     doubts=[-3, 1, 2], if_answered=[1, 0, 1], if_empty=[0, 1, 0]
        ... )  # threshold -4: 0 + 1 + 0, -3: 1 + 1 + 0, 1: 1 + 0 + 0, 2: 1 + 0 + 1
        (0.6666666666666666, -3)

    A question is left unanswered where its doubt is above the threshold. The walk is
    that of evaluate-v2.0.py, from no answer at all through rising doubts, and the
    lowest of equals is taken; but equal doubts are passed together, as no threshold
    parts them, and "no answer at all" is 1 below the lowest doubt, not 0.

    Args:
        doubts: for each question, at least one, the score of no answer less that of
            the best answer.
        if_answered: the score of the best answer.
        if_empty: the score of no answer.
    """
    order = sorted(range(len(doubts)), key=doubts.__getitem__)
    total = best = sum(if_empty)
    threshold = doubts[order[0]] - 1.0
    for place, i in enumerate(order, 1):
        total += if_answered[i] - if_empty[i]
        is_last_of_equals = place == len(order) or doubts[order[place]] > doubts[i]
        if is_last_of_equals and total > best:
            best, threshold = total, doubts[i]
    return best / len(doubts), threshold


def _with_content(accepted: Sequence[str]) -> Sequence[str]:
    return [text for text in accepted if squad_normalize(text)] or [""]


def _best(
    score: Callable[[str, str], float],
    normalize: Callable[[str], str],
    prediction: str,
    accepted: Sequence[str],
) -> float:
    prediction = normalize(prediction)
    return max(score(prediction, normalize(text)) for text in accepted)


def _equal(prediction, accepted):
    return float(prediction == accepted)


def _word_f1(prediction, accepted):
    if not prediction or not accepted:
        return float(prediction == accepted)
    return _bag_f1(prediction.split(), accepted.split())


def _character_f1(prediction, accepted):
    return _bag_f1(prediction.replace(" ", ""), accepted.replace(" ", ""))


def _bag_f1(prediction, accepted):
    common = (Counter(prediction) & Counter(accepted)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(prediction), common / len(accepted)
    return 2 * precision * recall / (precision + recall)
