"""Scores of answers: by hand, and against the official rules written a second time."""

import re
import string
from collections import Counter

import numpy as np
import pytest

from kbert.metrics import answers

PIECES = [
    *("the", "a", "An", "THE", "then", "banana", "Bridge", "bridge-head", "1,000"),
    *("U.S.A.", "don't", "a.", ".the", "서울", "서울에서", "서울,", "1919년", "3월"),
    *("1일", "(三一)", "İ", "ß", "ﬁ", "😀", *"_-()'\"<>《》〈〉‘’“”"),
]
SPACES = [" ", "", "  ", "\n", "\u00a0", "\u3000", "\t"]


def random_texts(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        parts = rng.choice(PIECES, rng.integers(0, 6))
        spaces = rng.choice(SPACES, len(parts), p=[0.6, 0.2, *[0.04] * 5])
        yield "".join(map("".join, zip(parts, spaces, strict=True)))


def random_questions(seed, count=1500):
    """A prediction, and one to three accepted texts, often close to it."""
    texts = list(random_texts(seed, 4 * count))
    rng = np.random.default_rng(seed + 1)
    for i in range(count):
        prediction, *accepted = texts[4 * i : 4 * i + 1 + rng.integers(1, 4)]
        if rng.random() < 0.3:
            accepted.append(f"the {prediction.swapcase()}.")
        yield prediction, accepted


# The official rules as the scripts take them: step by step, one pair at a time.


def official_squad(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text, flags=re.UNICODE).split())


def official_korquad(text):
    for symbol in "'\"《》<>〈〉()‘’":
        text = re.sub(re.escape(symbol), " ", text)
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(text.split())


def official_squad_scores(prediction, accepted):
    """get_raw_scores of evaluate-v2.0.py."""
    golds = [text for text in accepted if official_squad(text)] or [""]
    exact, f1 = 0, 0
    for gold in golds:
        exact = max(exact, int(official_squad(gold) == official_squad(prediction)))
        theirs = official_squad(gold).split() if gold else []
        ours = official_squad(prediction).split() if prediction else []
        same = sum((Counter(theirs) & Counter(ours)).values())
        if len(theirs) == 0 or len(ours) == 0:
            f1 = max(f1, int(theirs == ours))
        elif same:
            precision, recall = 1.0 * same / len(ours), 1.0 * same / len(theirs)
            f1 = max(f1, (2 * precision * recall) / (precision + recall))
    return exact, f1


def official_korquad_scores(prediction, accepted):
    """evaluate of evaluate-korquad_v1.0.py."""
    exact, f1 = False, 0
    for gold in accepted:
        exact = max(exact, official_korquad(prediction) == official_korquad(gold))
        ours = [c for token in official_korquad(prediction).split() for c in token]
        theirs = [c for token in official_korquad(gold).split() for c in token]
        same = sum((Counter(ours) & Counter(theirs)).values())
        if same:
            precision, recall = 1.0 * same / len(ours), 1.0 * same / len(theirs)
            f1 = max(f1, (2 * precision * recall) / (precision + recall))
    return exact, f1


@pytest.mark.parametrize(
    "text, squad, korquad",
    [
        ("The  U.S.A., an idea", "usa idea", "the usa an idea"),
        ("《춘향전》(3.1절)", "《춘향전》31절", "춘향전 31절"),
        ("don't", "dont", "don t"),
        ("‘가’“나”", "‘가’“나”", "가 “나”"),
        ("a-b then the.the", "ab then thethe", "ab then thethe"),
        ("\u3000가\u00a0 나\n", "가 나", "가 나"),
        ("The", "", "the"),
        ("()", "", ""),
    ],
)
def test_normalized(text, squad, korquad):
    assert answers.squad_normalize(text) == squad
    assert answers.korquad_normalize(text) == korquad


@pytest.mark.parametrize(
    "prediction, accepted, exact, f1",
    [
        ("the old bridge", ["the bridge"], 0, 2 / 3),
        ("An Old bridge!", ["nothing", "old bridge"], 1, 1),
        ("b b a", ["b c"], 0, 2 * 0.5 * 0.5 / 1.0),
        ("x", ["y"], 0, 0),
        ("", ["y"], 0, 0),
        ("", [], 1, 1),
        ("the", [], 1, 1),
        ("x", [], 0, 0),
        ("", ["the"], 1, 1),  # nothing is accepted that has content
        ("", ["the", "x"], 0, 0),
    ],
)
def test_squad_by_hand(prediction, accepted, exact, f1):
    assert answers.squad_exact_match(prediction, accepted) == exact
    assert answers.squad_f1(prediction, accepted) == pytest.approx(f1)


@pytest.mark.parametrize(
    "prediction, accepted, exact, f1",
    [
        ("서울에서", ["서울"], 0, 2 / 3),
        ("서 울", ["서울"], 0, 1),
        ("'서울'", ["부산", "《서울》"], 1, 1),
        ("the 가", ["가"], 0, 2 * 0.25 / 1.25),
        ("", ["가"], 0, 0),
        ("()", ["''"], 1, 0),  # as published
        ("", [], 1, 1),
        ("가", [], 0, 0),
    ],
)
def test_korquad_by_hand(prediction, accepted, exact, f1):
    assert answers.korquad_exact_match(prediction, accepted) == exact
    assert answers.korquad_f1(prediction, accepted) == pytest.approx(f1)


def test_random_answers_by_the_official_rules():
    scores = Counter()
    for prediction, accepted in random_questions(seed=3):
        exact, f1 = official_squad_scores(prediction, accepted)
        assert answers.squad_exact_match(prediction, accepted) == exact
        assert answers.squad_f1(prediction, accepted) == f1
        scores["squad", exact, 0 < f1 < 1] += 1
        exact, f1 = official_korquad_scores(prediction, accepted)
        assert answers.korquad_exact_match(prediction, accepted) == exact
        assert answers.korquad_f1(prediction, accepted) == f1
        scores["korquad", exact, 0 < f1 < 1] += 1
    assert min(scores.values()) > 50 and len(scores) == 6  # all sorts of cases came


def test_threshold_example():
    found = answers.best_no_answer_threshold([-3, 1, 2], [1, 0, 1], [0, 1, 0])
    assert found == (pytest.approx(2 / 3), -3)
    assert answers.best_no_answer_threshold([5.0], [1], [0]) == (1, 5)
    assert answers.best_no_answer_threshold([5.0], [0], [1]) == (1, 4)


def test_threshold_against_all_thresholds():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 40))
        doubts = rng.integers(-6, 6, count).astype(float)  # with ties
        has_answer = rng.random(count) < 0.6
        if_answered = np.where(has_answer, rng.integers(0, 5, count) / 4, 0.0)
        if_empty = 1.0 - has_answer
        best, threshold = answers.best_no_answer_threshold(
            doubts.tolist(), if_answered.tolist(), if_empty.tolist()
        )
        means = {
            limit: np.where(doubts > limit, if_empty, if_answered).mean()
            for limit in [doubts.min() - 1, *doubts]
        }
        assert best == pytest.approx(max(means.values()))
        assert means[threshold] == pytest.approx(best)


def test_threshold_of_the_official_walk():
    """find_best_thresh of evaluate-v2.0.py, on doubts that differ and answers given."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        doubts = rng.permutation(30) / 30
        has_answer = rng.random(30) < 0.5
        scores = rng.integers(0, 5, 30) / 4
        current = best = int((~has_answer).sum())
        threshold = 0.0
        for i in sorted(range(30), key=lambda i: doubts[i]):
            current += scores[i] if has_answer[i] else -1
            if current > best:
                best, threshold = current, doubts[i]
        found = answers.best_no_answer_threshold(
            doubts.tolist(),
            np.where(has_answer, scores, 0).tolist(),
            (1.0 - has_answer).tolist(),
        )
        assert found[0] == pytest.approx(best / 30)
        assert found[1] == (threshold if best > (~has_answer).sum() else -1)
