"""From units to tokens in windows, and from the outputs of tokens back to units.

    text "Embedding !"        units Embedding !         (0, 9) (10, 11)
    tokens em ##bed ##ding !  slices (0, 2) (2, 5) (5, 9) (10, 11)
    row    [CLS] em ##bed ##ding ! [SEP]

By words, the first token of a unit answers for it: em and !. By characters, each token
answers for all the characters of its slice, and is trained on the tag of the first.
"""

import dataclasses
import warnings

import numpy as np

from kbert.tasks.rows.packed_rows import PackedRows
from kbert.tasks.rows.windows import nearest_window, windows
from kbert.tasks.tagging.tagged_text import TaggedText
from kbert.text.numpy_packer import pack
from kbert.text.token_slices import TokenSlices


@dataclasses.dataclass(frozen=True)
class TaggedRows:
    """Packed texts, and what the tokens have to do with the units.

    Attributes:
        rows: windows of all texts, in order.
        examples: the texts, in the units of the task.
        targets: int32 (N,), the class of each token of `rows`, 0 where none counts.
        counted: bool (N,), whether the token is trained on: in one window only.
        places: int64 (units,), the token in `rows` that answers for the unit, in the
            window where it has most context; -1 where no token was made of it.
        is_first: bool (units,), whether the unit is the first its token answers for.
    """

    rows: PackedRows
    examples: list[TaggedText]
    targets: np.ndarray
    counted: np.ndarray
    places: np.ndarray
    is_first: np.ndarray


def unit_classes(examples: list[TaggedText], numbers: dict[str, int]) -> np.ndarray:
    """The class of each unit of all examples, int64 (units,).

    -1 where there is no tag, and, with a warning, where its tag has no number.
    """
    tags = [
        tag
        for example in examples
        for tag in example.tags or [None] * len(example.units)
    ]
    unseen = [tag for tag in tags if tag is not None and tag not in numbers]
    if unseen:
        warnings.warn(
            f"Tags that training had not ({', '.join(sorted(set(unseen)))}), on "
            f"{len(unseen)} of {len(tags)} units: they count as wrong.",
            stacklevel=4,
        )
    return np.array([numbers.get(tag, -1) for tag in tags], "int64")


def pack_tagged(
    examples: list[TaggedText],
    classes: np.ndarray,
    tokenizer,
    sequence_length: int,
    stride: int,
) -> TaggedRows:
    """Lays windows over texts that are all by words, or all by characters.

    Args:
        examples: at least one.
        classes: int (units of all examples,), -1 where a unit is not trained on.
        tokenizer: of any class.
        sequence_length: tokens of a window, [CLS] and [SEP] counted.
        stride: tokens from one window to the next.
    """
    slices = tokenizer.slices([example.text for example in examples])
    rows, token_places = _rows(slices, tokenizer.vocabulary, sequence_length, stride)
    by_characters = examples[0].granularity == "character"
    owners, unit_tokens = _units_of_tokens(examples, slices)
    if by_characters:
        unit_tokens = _tokens_of_characters(examples, slices, unit_tokens)
    is_first = np.diff(unit_tokens, prepend=-1) != 0
    trained = np.flatnonzero(owners >= 0) if by_characters else unit_tokens
    trained = trained[trained >= 0]
    trained = trained[classes[owners[trained]] >= 0]
    targets = np.zeros(len(rows.token_ids), "int32")
    counted = np.zeros(len(rows.token_ids), bool)
    targets[token_places[trained]] = classes[owners[trained]]
    counted[token_places[trained]] = True
    places = np.full(len(unit_tokens), -1)
    places[unit_tokens >= 0] = token_places[unit_tokens[unit_tokens >= 0]]
    return TaggedRows(rows, examples, targets, counted, places, is_first)


def targets_and_weights(
    packed: TaggedRows, rows: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Targets int32 (B, L) and weights float32 (B, L) of some rows.

    The weights average to 1 over all B L entries; where nothing counts, all are 0.

    Where 3 of 2 x 8 tokens count, they have weights of 16/3, and the others 0.

    Args:
        rows: numbers of B rows.
        keep: bool (B, L), whether there is a token and no padding.
    """
    starts = packed.rows.starts[rows][:, None]
    source = (starts + np.arange(keep.shape[1]))[keep]
    targets = np.zeros(keep.shape, "int32")
    weights = np.zeros(keep.shape, "float32")
    targets[keep] = packed.targets[source]
    weights[keep] = packed.counted[source]
    return targets, weights * np.float32(weights.size / max(weights.sum(), 1))


def unit_tags(
    outputs: np.ndarray, packed: TaggedRows, labels: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The tag of each unit, and its probability.

    Where a token answers for several characters, B- is for the first of them and I- for
    the others. Where no token was made of a unit, its tag is O (where labels have none,
    the first of them) and the probability 0.

        >>> places, is_first = np.array([0, 0]), np.array([True, False])  # one token
        >>> packed = TaggedRows(None, [], None, None, places, is_first)
        >>> unit_tags(np.array([[0.0, 9.0]]), packed, ["O", "B-PS"])[0].tolist()
        ['B-PS', 'I-PS']

    Args:
        outputs: float32 (N, C), logits in the order of `packed.rows.token_ids`.
        labels: the tag of each class.

    Returns: objects (units,) and float64 (units,).
    """
    answered = packed.places >= 0
    logits = outputs[packed.places[answered]].astype("float64")  # (units, C)
    logits -= logits.max(axis=1, keepdims=True)
    best = logits.argmax(axis=1)
    scores = np.zeros(len(answered))
    scores[answered] = 1 / np.exp(logits).sum(axis=1)
    inner = [f"I-{tag[2:]}" if tag.startswith("B-") else tag for tag in labels]
    table = np.array([inner, labels], object)
    tags = np.full(len(answered), "O" if "O" in labels else labels[0], object)
    tags[answered] = table[packed.is_first[answered].astype(int), best]
    return tags, scores


def _rows(slices: TokenSlices, vocabulary, sequence_length, stride):
    """The rows, and for each token its place in them where it has most context."""
    lengths = np.diff(slices.splits)
    text_of, spans = windows(lengths, sequence_length - 2, stride)
    spans = spans + slices.splits[text_of][:, None]  # on the line of all tokens
    row_of = nearest_window(spans)  # (tokens,)
    begin, end = spans.T
    packed = pack(slices.ids, [(begin, end)], vocabulary.cls_id, vocabulary.sep_id)
    rows = PackedRows.of(packed, vocabulary, sequence_length)
    token = np.arange(len(slices.ids))
    return rows, rows.starts[row_of] + 1 + token - begin[row_of]


def _spread(examples, slices):
    """Units and tokens on one line of characters, the texts with a gap between them.

    Returns: starts and limits of the units, starts and limits of the tokens.
    """
    length = np.array([len(example.text) + 1 for example in examples])
    base = np.cumsum(length) - length
    units = np.array([unit for example in examples for unit in example.units], "int64")
    units = units.reshape(-1, 2)
    units += np.repeat(base, [len(example.units) for example in examples])[:, None]
    token_base = np.repeat(base, np.diff(slices.splits))
    return *units.T, slices.starts + token_base, slices.limits + token_base


def _units_of_tokens(examples, slices):
    """The unit of each token's first character, and each unit's first token; else -1.

    >>> example = TaggedText("Embedding !", units=((0, 9), (10, 11)))
    >>> ids, starts, limits = np.array([[5, 6, 7, 8], [0, 2, 5, 10], [2, 5, 9, 11]])
    >>> slices = TokenSlices(ids, starts, limits, splits=np.array([0, 4]))
    >>> _units_of_tokens([example], slices)
    (array([0, 0, 0, 1]), array([0, 3]))
    """
    starts, limits, token_starts, token_limits = _spread(examples, slices)
    owners = np.searchsorted(starts, token_starts, "right") - 1
    is_inside = (owners >= 0) & (token_starts < token_limits)
    is_inside[is_inside] = token_starts[is_inside] < limits[owners[is_inside]]
    owners = np.where(is_inside, owners, -1)
    tokens = np.flatnonzero(is_inside)[::-1]  # the first is written last
    unit_tokens = np.full(len(starts), -1)
    unit_tokens[owners[tokens]] = tokens
    return owners, unit_tokens


def _tokens_of_characters(examples, slices, first_tokens):
    """The token whose slice holds each character.

    A character that left nothing behind (a dropped accent, a control character) goes
    with the one before it if they touch, so that no entity breaks there.

        >>> example = TaggedText("abc", units=((0, 1), (1, 2), (2, 3)))
        >>> slices = TokenSlices(*np.array([[5], [0], [2]]), splits=np.array([0, 1]))
        >>> _tokens_of_characters([example], slices, np.array([0, -1, -1])).tolist()
        [0, 0, 0]
    """
    starts, limits, token_starts, token_limits = _spread(examples, slices)
    filled = np.flatnonzero(token_starts < token_limits)
    tokens = first_tokens.copy()
    if not len(filled) or not len(starts):
        return tokens
    nearest = filled[
        np.maximum(np.searchsorted(token_starts[filled], starts, "right") - 1, 0)
    ]
    is_inside = (token_starts[nearest] <= starts) & (starts < token_limits[nearest])
    tokens[is_inside] = nearest[is_inside]
    number = np.arange(len(tokens))
    last_filled = np.maximum.accumulate(np.where(tokens >= 0, number, -1))
    run = np.cumsum(np.concatenate([[True], starts[1:] != limits[:-1]]))
    touches = (last_filled >= 0) & (run[last_filled] == run)
    return np.where(touches, tokens[last_filled], -1)
