"""Rows of questions and windows, and the tokens that are the answer, by hand."""

import itertools
import warnings

import numpy as np
import pytest

from kbert.tasks.questions.question_rows import pack_questions
from kbert.tasks.questions.squad_files import Question
from kbert.text.tokenizer import BertTokenizer

LETTERS = [*"abcdefghijklmnopqrstuvwxyz"]
WORDS = ["cafe", "1", "##1", "서울", "##은", "수도", "?", "!"]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *WORDS]
ID = {token: i for i, token in enumerate(TOKENS)}
ALPHABET = " ".join(LETTERS)


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS, lowercase=True)


@pytest.fixture(scope="module")
def cased():
    """Which leaves syllables whole."""
    return BertTokenizer(TOKENS, lowercase=False)


def asked(question, context, *answers, identity="0"):
    """A question whose answers are given by text and found at their first place."""
    placed = tuple((text, context.index(text)) for text in answers)
    return Question(identity, question, context, placed)


def rows_of(packed):
    starts = packed.rows.starts
    return [packed.rows.token_ids[a:b].tolist() for a, b in itertools.pairwise(starts)]


def letters(first, last):
    return [ID[c] for c in LETTERS[first : last + 1]]


def test_windows_and_targets_by_hand(tokenizer):
    # Room: 21 - 2 of the question - 3 = 16 letters of 26; the answer is "q r".
    packed = pack_questions([asked("a?", ALPHABET, "q r")], tokenizer, 21, 7, 64)
    head = [2, ID["a"], ID["?"], 3]
    assert rows_of(packed) == [
        [*head, *letters(0, 15), 3],
        [*head, *letters(7, 22), 3],
        [*head, *letters(14, 25), 3],
    ]
    assert packed.rows.segment_ids[:21].tolist() == [0] * 4 + [1] * 17
    assert packed.windows.tolist() == [[0, 16], [7, 23], [14, 26]]
    assert packed.window_starts.tolist() == [4, 4, 4]
    assert packed.targets.dtype == np.int32
    # The first window does not hold the answer; in the second it is 16 - 7 + 4.
    assert packed.targets.tolist() == [[0, 0], [13, 14], [6, 7]]
    inputs = packed.rows.batch(np.array([2, 0]))
    assert inputs["token_ids"].shape == (2, 21)


def test_an_answer_cut_by_a_window_is_not_trained(tokenizer):
    packed = pack_questions([asked("a?", ALPHABET, "p q")], tokenizer, 21, 7, 64)
    assert packed.targets.tolist() == [[0, 0], [12, 13], [5, 6]]
    longer = asked("a?", ALPHABET, ALPHABET[:40])  # 20 letters, more than a window
    assert not pack_questions([longer], tokenizer, 21, 7, 64).targets.any()


@pytest.mark.parametrize("stride, step", [(None, 8), (5, 5), (16, 16), (500, 16)])
def test_strides(tokenizer, stride, step):
    packed = pack_questions([asked("a?", ALPHABET, "a")], tokenizer, 21, stride, 64)
    assert packed.windows[:2, 0].tolist() == [0, step]
    assert packed.windows[-1, 1] == 26


def test_the_stride_of_long_windows(tokenizer):
    context = " ".join(["a"] * 600)
    packed = pack_questions([asked("b", context, "a")], tokenizer, 384, None, 64)
    assert packed.windows[:2].tolist() == [[0, 380], [128, 508]]


def test_texts_are_tokenized_once(tokenizer):
    seen = []

    class Counting:
        vocabulary = tokenizer.vocabulary

        def slices(self, texts):
            seen.extend(texts)
            return tokenizer.slices(texts)

    questions = [
        asked("a?", "b c", "c", identity="x"),
        asked("a?", "d", "d", identity="y"),
        asked("e?", "b c", "b", identity="z"),
        Question("w", "e?", "b c"),
    ]
    packed = pack_questions(questions, Counting(), 32, None, 64)
    assert seen == ["a?", "e?", "b c", "d"]
    assert packed.ids == ["x", "y", "z", "w"]
    assert packed.splits.tolist() == [0, 1, 2, 3, 4]
    assert packed.targets.tolist() == [[5, 5], [4, 4], [4, 4], [0, 0]]
    text, starts, limits = packed.text_tokens(2)
    assert (text, starts.tolist(), limits.tolist()) == ("b c", [0, 2], [1, 3])
    ids = packed.rows.token_ids
    assert [ids[part].tolist() for part in packed.window_slices(2)] == [letters(1, 2)]


@pytest.mark.parametrize(
    "context, answer, target, covered",
    [
        ("😀😀 a 😀 b c", "b", [7, 7], "b"),  # characters, not UTF-16 units
        ("a 漢字 b", "漢字", [5, 6], "漢字"),
        ("x 한국 y", "한국", [5, 5], "한국"),  # [UNK], in its place
        ("한국 서울", "서울", [5, 5], "서울"),
        ("q한11 b", "11", [4, 4], "q한11"),  # part of an unknown word
        ("a １１ b", "１１", [5, 5], "１１"),  # full-width digits
        ("서울은 수도", "서울", [4, 4], "서울"),
        ("11!", "11", [4, 5], "11"),
        ("\u200ba\u200b b", "a", [4, 4], "a"),
        ("a\u3000b", "b", [5, 5], "b"),
    ],
)
def test_answers_in_characters(cased, context, answer, target, covered):
    assert answer_of(context, answer, cased) == (target, covered)


@pytest.mark.parametrize(
    "context, answer, target, covered",
    [
        ("Café b", "Café", [4, 4], "Café"),
        ("Cafe\u0301 b", "Cafe\u0301", [4, 4], "Cafe"),  # the accent left no token
        ("Cafe\u0301 b", "b", [5, 5], "b"),
        ("ÀÉ CAFÉ c", "CAFÉ", [5, 5], "CAFÉ"),
        ("İ b", "b", [5, 5], "b"),  # two characters in lower case
    ],
)
def test_answers_under_lower_casing(tokenizer, context, answer, target, covered):
    assert answer_of(context, answer, tokenizer) == (target, covered)


def answer_of(context, answer, tokenizer):
    """The answer's tokens in its row, and the characters that they cover."""
    packed = pack_questions([asked("a?", context, answer)], tokenizer, 64, None, 64)
    ((first, last),) = packed.targets.tolist()
    text, starts, limits = packed.text_tokens(0)
    return [first, last], text[starts[first - 4] : limits[last - 4]]


def test_the_first_answer_trains_and_none_points_at_cls(tokenizer):
    questions = [
        asked("a?", "b c d", "d", "b", identity="0"),
        Question("1", "a?", "b c d", ()),
        Question("2", "a?", "b c d", (("\u200b", 3),)),
        Question("3", "a?", "\u200b", ()),
    ]
    packed = pack_questions(questions, tokenizer, 32, None, 64)
    assert packed.targets.tolist() == [[6, 6], [0, 0], [0, 0], [0, 0]]
    assert rows_of(packed)[3] == [2, ID["a"], ID["?"], 3, 3]


def test_long_questions_are_cut_with_one_warning(tokenizer):
    questions = [
        asked("a b c d e", "b", "b", identity="0"),
        asked("a b c d", "b", "b", identity="1"),
        asked("a b c", "b", "b", identity="2"),
    ]
    with pytest.warns(
        UserWarning, match="2 of 3 questions.*3 tokens, and were cut"
    ) as w:
        packed = pack_questions(questions, tokenizer, 64, None, 3)
    assert len(w) == 1
    assert rows_of(packed) == [[2, *letters(0, 2), 3, ID["b"], 3]] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pack_questions(questions, tokenizer, 64, None, 5)


def test_no_room_for_the_context(tokenizer):
    question = asked("a b c d e f", "b", "b")
    message = (
        "Expected room for 16 tokens.*takes 6 of 24 tokens.*sequence_length to 25 or "
        "more, or max_question_length to 5"
    )
    with pytest.raises(ValueError, match=message):
        pack_questions([question], tokenizer, 24, None, 64)
    assert len(pack_questions([question], tokenizer, 25, None, 64).rows) == 1
    with pytest.warns(UserWarning, match="were cut"):
        assert len(pack_questions([question], tokenizer, 24, None, 5).rows) == 1
