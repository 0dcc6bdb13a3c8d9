"""From packed examples to batches for training, and from a model to answers."""

import functools
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from kbert.features import BACKBONE_INPUTS
from kbert.tasks.packed_rows import shuffled_batches
from kbert.tasks.sources import chunked
from kbert.tasks.task import Task

_CHUNK = 4096  # examples read and answered at once by `answers`


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
        batch_size: rows per call of the model.
    """

    def __init__(self, model, task: Task, tokenizer, batch_size: int = 64):
        self.task = task
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        spec = {
            f.name: tf.TensorSpec((None, *f.shape), f.dtype) for f in BACKBONE_INPUTS
        }
        # One trace for all lengths.
        self._call = tf.function(
            lambda inputs: model(inputs, training=False), input_signature=[spec]
        )

    def answers(self, examples: Iterable) -> Iterator[dict]:
        """One dict for each example, in order; of a stream, little is kept."""
        for chunk in chunked(examples, _CHUNK):
            yield from self.decode(self.task.pack(chunk, self.tokenizer))

    def decode(self, packed) -> list[dict]:
        """The answers for examples that are packed already."""
        return self.task.decode(self.outputs(packed), packed)

    def outputs(self, packed):
        """The model's outputs in the order of the rows, as `Task.decode` takes them."""
        rows, order = packed.rows, in_order(packed.rows.lengths, self.batch_size)
        per_token = self.task.outputs_per == "token"
        parts, places = [], []
        with tqdm(total=len(rows), unit=" rows", disable=None, leave=False) as bar:
            for batch in order:
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
                bar.update(len(batch))
        places = np.concatenate(places)

        def restored(*arrays):
            joined = np.concatenate(arrays)
            result = np.empty_like(joined)
            result[places] = joined
            return result

        return keras.tree.map_structure(restored, *parts)


def answer(model, task: Task, tokenizer, examples, batch_size: int = 64) -> list[dict]:
    """A model's answers to examples, with or without labels.

    Args:
        model: a task's Keras model, trained.
        task: a `TextClassification`, `TokenClassification` or `QuestionAnswering`.
        tokenizer: the model's tokenizer.
        examples: the task's own, as `task.read` gives them.
        batch_size: rows per call of the model.

    Returns: one dict for each example, in order; its fields are the task's.
    """
    return list(Answerer(model, task, tokenizer, batch_size).answers(examples))


def _kept(tensor, keep):
    return tensor.numpy()[keep]


def in_order(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Row numbers of batches of like length; the last batch is smaller.

    lengths [5 2 9], batch_size 2 -> [1 0] [2]
    """
    order = np.argsort(lengths, kind="stable")
    return np.split(order, range(batch_size, len(order), batch_size))
