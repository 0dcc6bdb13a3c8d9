"""What a training goes through: batches that are a pure function of the step."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Batches:
    """The batches of a training, from step 0.

    Attributes:
        batch: step -> (inputs, targets, sample weights), of NumPy arrays. The same for
            the same step, whichever were asked for before: what was stopped goes on
            with the batch that it would have had.
        steps_per_epoch: steps after which everything has been seen once.
        has_one_length: all batches are as long as the first one. Else all axes are left
            open, for TensorFlow would trace the model again for each length.
    """

    batch: Callable[[int], tuple]
    steps_per_epoch: float
    has_one_length: bool = False

    def dataset(self, first: int, last: int):
        """The steps from `first` to before `last`, as a `tf.data.Dataset` for Keras."""
        import tensorflow as tf

        def spec(array):
            array = np.asarray(array)
            axes = array.shape[1:] if self.has_one_length else (None,) * array.ndim
            axes = (None, *axes) if self.has_one_length else axes
            return tf.TensorSpec(axes, array.dtype)

        dataset = tf.data.Dataset.from_generator(
            lambda: (self.batch(step) for step in range(first, last)),
            output_signature=keras.tree.map_structure(spec, self.batch(first)),
        )
        cardinality = tf.data.experimental.assert_cardinality(last - first)
        return dataset.apply(cardinality).prefetch(2)


class BatchRange(keras.utils.PyDataset):
    """The batches of the steps from `first` to before `last`, for `model.fit`.

    Not a generator: under `tf.distribute`, Keras takes the first batch of one twice.

        model.fit(BatchRange(kbert.PretrainingBatches(…), 0, 1000), shuffle=False)

    Args:
        batches: has `batch(step)`, as `PretrainingBatches` does.
    """

    def __init__(self, batches, first: int, last: int):
        super().__init__()
        self.batches, self.first, self.last = batches, first, last

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        return self.batches.batch(self.first + index)
