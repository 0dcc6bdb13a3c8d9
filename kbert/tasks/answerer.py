"""From packed examples to batches for training, and from a model to answers."""

import functools
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from kbert.tasks.compiled import traced
from kbert.tasks.rows.packed_rows import shuffled_batches, within_budget
from kbert.tasks.task import Task, check_segments

TOKEN_BUDGET = 8192  # tokens of a batch, filling counted
# What is read and held at once by `answers`. It begins small, so that the first answers
# come early.
_FIRST_PORTION, _LAST_PORTION = 64, 8192  # examples
_LARGEST_PORTION = 2_000_000  # characters


def bucketed_dataset(
    task: Task, packed, batch_size: int, epochs: int = 1, seed: int = 0
) -> tf.data.Dataset:
    """Shuffled batches of like length, for `model.fit(dataset)`.

    Args:
        task: a `TextClassification`, `TokenClassification` or `QuestionAnswering`.
        packed: what its `pack` gave.
        batch_size: rows per step, over all devices.
        epochs: times through the rows, all in the one dataset.
        seed: of the order, which is a function of (seed, epoch).

    Returns: (inputs, targets, sample weights), each batch as long as its longest row.
    """
    order = [
        batch
        for epoch in range(epochs)
        for batch in shuffled_batches(packed.rows.lengths, batch_size, seed, epoch)
    ]
    return dataset_of(task, packed, order)


def dataset_of(task: Task, packed, order: list[np.ndarray]) -> tf.data.Dataset:
    """The batches of `bucketed_dataset` in an order of one's own: row numbers each."""
    # All axes are left open: TensorFlow would trace the model again for each length.
    signature = keras.tree.map_structure(
        lambda a: tf.TensorSpec((None,) * np.ndim(a), np.asarray(a).dtype),
        task.batch(packed, order[0]),
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: (task.batch(packed, rows) for rows in order),
        output_signature=signature,
    )
    cardinality = tf.data.experimental.assert_cardinality(len(order))
    return dataset.apply(cardinality).prefetch(2)


class Answerer:
    """A task's model with its text stage: examples in, answers out.

    Args:
        model: what `task.build` made, trained.
        task: its task.
        tokenizer: its tokenizer.
        token_budget: tokens of a call of the model, filling counted; a row that is
            longer is called alone.

    Raises:
        ValueError: a budget below 1, or pairs for a model of one segment.
    """

    def __init__(self, model, task: Task, tokenizer, token_budget: int = TOKEN_BUDGET):
        if token_budget < 1:
            raise ValueError(f"token_budget must be at least 1; got {token_budget}.")
        if hasattr(model, "backbone"):
            check_segments(task.num_texts, model.backbone.num_segments)
        self.task = task
        self.tokenizer = tokenizer
        self.token_budget = token_budget
        self._call = traced(model)

    def __call__(self, texts: Iterable[str | tuple[str, ...]]) -> list[dict]:
        """The answers to texts, as Python has them.

            ["정말 재미있다"] -> [{"label": "1", "score": 0.98, "scores": {…}}]
            [("누가 왔나?", "영희가 왔다.")] -> [{"answer": "영희", "start": 0, …}]

        Args:
            texts: of a classifier and a tagger, strings; where an answer is made from
                several texts (a pair; a question and its context; a question and its
                choices), tuples of strings.

        Raises:
            ValueError: one string in place of a list of them, or other texts than the
                task reads; the place is named.
        """
        if isinstance(texts, str):
            raise ValueError(
                f"Expected a list of texts; got the string {texts[:20]!r}. Put it in "
                "a list."
            )
        examples = []
        for number, given in enumerate(texts, 1):
            given = (given,) if isinstance(given, str) else given
            is_text = isinstance(given, tuple | list) and given
            if not is_text or not all(isinstance(text, str) for text in given):
                raise ValueError(
                    "Expected a string, or a tuple of strings, for each answer; "
                    f"example {number} is {given!r:.80}."
                )
            examples.append(self.task.example(tuple(given), number))
        return list(self.answers(examples))

    def answers(self, examples: Iterable, bar: tqdm | None = None) -> Iterator[dict]:
        """One dict for each example, in order; of a stream, little is kept.

        Args:
            bar: counts the examples; by default there is one for the rows of each
                portion.
        """
        for portion in portions(examples, self.task):
            yield from self.answer(portion, bar)

    def answer(self, examples: list, bar: tqdm | None = None) -> list[dict]:
        """The answers for examples that are held at once; see `answers`."""
        packed = self.task.pack(examples, self.tokenizer)
        if bar is None:
            return self.decode(packed)
        before = bar.n

        def progress(share):
            bar.update(before + int(share * len(examples)) - bar.n)

        return self.task.decode(self.outputs(packed, progress), packed)

    def decode(self, packed) -> list[dict]:
        """The answers for examples that are packed already."""
        return self.task.decode(self.outputs(packed), packed)

    def outputs(self, packed, progress: Callable[[float], None] | None = None):
        """The model's outputs in the order of the rows, as `Task.decode` takes them.

        Args:
            progress: called with the share of the rows that is done, 0 to 1; by default
                there is a bar.
        """
        rows = packed.rows
        per_token = self.task.outputs_per == "token"
        parts, places, done = [], [], 0
        hidden = True if progress else None  # None: hidden unless on a terminal
        with tqdm(total=len(rows), unit=" rows", disable=hidden, leave=False) as bar:
            budget = max(1, self.token_budget // rows.rows_per_example)
            for batch in within_budget(rows.lengths, budget):
                inputs = rows.batch(batch)
                # (B, L, …) -> (tokens, …), or (B, …) as it is
                keep = inputs["padding_mask"] == 1 if per_token else slice(None)
                outputs = keras.tree.map_structure(
                    functools.partial(_kept, keep=keep), self._call(inputs)
                )
                if per_token:
                    places += [np.arange(*rows.starts[[r, r + 1]]) for r in batch]
                else:
                    places.append(batch)
                parts.append(outputs)
                done += len(batch)
                bar.update(len(batch))
                if progress:
                    progress(done / len(rows))
        places = np.concatenate(places)

        def restored(*arrays):
            joined = np.concatenate(arrays)
            result = np.empty_like(joined)
            result[places] = joined
            return result

        return keras.tree.map_structure(restored, *parts)


def answer(
    model, task: Task, tokenizer, examples, token_budget: int = TOKEN_BUDGET
) -> list[dict]:
    """A model's answers to examples, with or without labels.

    Args:
        model: a task's Keras model, trained.
        task: a `TextClassification`, `TokenClassification` or `QuestionAnswering`.
        tokenizer: the model's tokenizer.
        examples: the task's own, as `task.read` gives them.
        token_budget: tokens of a call of the model, filling counted.

    Returns: one dict for each example, in order; its fields are the task's.
    """
    return list(Answerer(model, task, tokenizer, token_budget).answers(examples))


def portions(examples: Iterable, task: Task) -> Iterator[list]:
    """What of a stream is held, sorted by length and answered at once.

    64 examples, 128, 256 … to 8,192; fewer where they have 2 million characters. A pure
    function of the examples: a stream that is read again is cut in the same places.
    """
    count, portion, characters = _FIRST_PORTION, [], 0
    for example in examples:
        portion.append(example)
        characters += task.num_characters(example)
        if len(portion) == count or characters >= _LARGEST_PORTION:
            yield portion
            portion, characters = [], 0
            count = min(2 * count, _LAST_PORTION)
    if portion:
        yield portion


def _kept(tensor, keep):
    return np.asarray(tensor)[keep]
