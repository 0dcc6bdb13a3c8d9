"""Questions and windows of their contexts as rows for the model."""

import dataclasses
import warnings

import numpy as np

from kbert.tasks.questions.answer_spans import covering_tokens
from kbert.tasks.questions.squad_files import Question
from kbert.tasks.rows.packed_rows import PackedRows
from kbert.tasks.rows.windows import windows
from kbert.text.numpy_packer import pack
from kbert.text.token_slices import TokenSlices

LEAST_ROOM = 16  # tokens of context beside the longest question
STRIDE = 128  # as in google-research/bert, where a window has the room


@dataclasses.dataclass(frozen=True)
class PackedQuestions:
    """Rows [CLS] question [SEP] window [SEP] of several questions.

    Attributes:
        rows: `PackedRows`; the windows of a question follow one another.
        ids: of the questions.
        texts: different contexts, each once.
        tokens: `TokenSlices` of `texts`.
        text_of: int64 (questions,), the place of a question's context in `texts`.
        splits: int64 (questions + 1,); question i has the rows splits[i]:splits[i + 1].
        windows: int64 (rows, 2), [start, limit) in tokens of the context.
        window_starts: int64 (rows,), where the window begins in its row.
        targets: int32 (rows, 2), first and last token of the answer within the row; 0
            and 0, [CLS], if the row does not hold all of it.
    """

    rows: PackedRows
    ids: list[str]
    texts: list[str]
    tokens: TokenSlices
    text_of: np.ndarray
    splits: np.ndarray
    windows: np.ndarray
    window_starts: np.ndarray
    targets: np.ndarray

    def __len__(self):
        return len(self.ids)

    def text_tokens(self, i: int) -> tuple[str, np.ndarray, np.ndarray]:
        """The context of question i, and where its tokens begin and end in it."""
        _, starts, limits = self.tokens.text(self.text_of[i])
        return self.texts[self.text_of[i]], starts, limits

    def window_slices(self, i: int) -> list[slice]:
        """Where, in all rows end to end, the windows of question i stand."""
        slices = []
        for row in range(self.splits[i], self.splits[i + 1]):
            begin = self.rows.starts[row] + self.window_starts[row]
            start, limit = self.windows[row]
            slices.append(slice(begin, begin + limit - start))
        return slices


def pack_questions(
    questions: list[Question],
    tokenizer,
    sequence_length: int,
    stride: int | None,
    max_question_length: int,
) -> PackedQuestions:
    """Packs questions; each different question and context is tokenized once.

    Rows of question 7 and context 10 11 12 13 with the answer 12 13, if windows had 3
    tokens and a stride of 1:

        [2 7 3 10 11 12 3] targets [0, 0]: the answer is cut
        [2 7 3 11 12 13 3] targets [4, 5]

    Targets come from the first of several answers.

    Args:
        tokenizer: of any class.
        sequence_length: tokens of a row, special ones counted.
        stride: tokens from one window to the next, at most the window's room; None:
            128, at most half of the room.
        max_question_length: tokens that a question is cut to, with a warning.

    Raises:
        ValueError: beside the longest question there is no room for 16 tokens.
    """
    asked, asked_of = _distinct([question.question for question in questions])
    texts, text_of = _distinct([question.context for question in questions])
    asked = tokenizer.slices(asked)
    tokens = tokenizer.slices(texts)
    lengths = np.diff(asked.splits)[asked_of]
    _check_lengths(lengths, sequence_length, max_question_length)
    lengths = np.minimum(lengths, max_question_length)
    room = sequence_length - lengths - 3
    step = np.minimum(STRIDE, room // 2) if stride is None else np.minimum(stride, room)
    row_of, spans = windows(np.diff(tokens.splits)[text_of], room, step)
    first = asked.splits[asked_of[row_of]]
    second = spans + (tokens.splits[text_of[row_of]] + len(asked.ids))[:, None]
    covered = [_covered(q, *tokens.text(i)) for q, i in zip(questions, text_of)]
    window_starts = lengths[row_of] + 2
    vocabulary = tokenizer.vocabulary
    packed = pack(
        np.concatenate([asked.ids, tokens.ids]),
        [(first, first + lengths[row_of]), tuple(second.T)],
        vocabulary.cls_id,
        vocabulary.sep_id,
    )
    return PackedQuestions(
        PackedRows.of(packed, vocabulary, sequence_length),
        [question.id for question in questions],
        texts,
        tokens,
        text_of,
        np.searchsorted(row_of, np.arange(len(questions) + 1)),
        spans,
        window_starts,
        _targets(spans, window_starts, np.array(covered)[row_of]),
    )


def _covered(question, ids, starts, limits):
    """First and last token of a question's first answer; 0 and -1 without any."""
    if not question.answers:
        return 0, -1
    text, start = question.answers[0]
    return covering_tokens(starts, limits, start, start + len(text))


def _targets(spans, window_starts, covered):
    """int32 (W, 2): the answer within each window's row, or [0, 0].

    Args:
        covered: int (W, 2), first and last token of the answer in the window's text.
    """
    first, last = covered.T
    inside = (first <= last) & (spans[:, 0] <= first) & (last < spans[:, 1])
    ends = covered - spans[:, :1] + window_starts[:, None]
    return np.where(inside[:, None], ends, 0).astype("int32")


def _distinct(texts):
    """Each text once, and the place of each.

    >>> _distinct(["a", "b", "a"])
    (['a', 'b'], array([0, 1, 0]))
    """
    places = {}
    place_of = [places.setdefault(text, len(places)) for text in texts]
    return list(places), np.array(place_of, "int64")


def _check_lengths(lengths, sequence_length, max_question_length):
    longest = min(int(lengths.max()), max_question_length)
    least = longest + 3 + LEAST_ROOM
    if sequence_length < least:
        raise ValueError(
            f"Expected room for {LEAST_ROOM} tokens of context beside each question; "
            f"the longest takes {longest} of {sequence_length} tokens, and 3 are "
            f"special. Set sequence_length to {least} or more, or max_question_length "
            f"to {max(1, sequence_length - 3 - LEAST_ROOM)}."
        )
    cut = int((lengths > max_question_length).sum())
    if cut:
        warnings.warn(
            f"{cut} of {len(lengths)} questions are longer than max_question_length, "
            f"{max_question_length} tokens, and were cut.",
            stacklevel=4,
        )
