"""The tensor part of a model, for runtimes that have no strings: ids in, logits out.

What TensorFlow does not run has none of the text stage: no tokenization, windows or
search for the answer, only what Keras computes between packed inputs and logits. A
directory of it is made here, whatever the runtime:

    model.onnx | model.tflite  the graph and its weights
    config.json                sizes, labels and the task's settings
    vocab.txt …                the tokenizer, as in any model directory
    tokenizer.json             the same for the library `tokenizers` (WordPiece only)
    model_card.json            inputs, outputs, and how near to Keras they are
"""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kbert.checkpoints.huggingface.directory import write_config
from kbert.disk.whole_directories import write_directory
from kbert.export.model_card import card_of_embed, model_card
from kbert.export.servable import Servable, next_version
from kbert.models.backbone import backbone_of
from kbert.registry import kind_of
from kbert.signatures import MODEL_CARD, Signature, Tensor
from kbert.text.tokenizer_files import write_tokenizer
from kbert.text.tokenizers_file import write_tokenizers_file

BOUND = 1e-4  # the most that outputs may differ from those of Keras
_CHOICES = 3  # rows of an example, where it has several
_BATCHES = ((1, 1.0), (1, 0.25), (3, 0.5), (8, 0.125))  # rows, share of the length


class TensorModel(tf.Module):
    """A Keras model as one TensorFlow function of int32 tensors with open axes.

    Args:
        servable: the model with its task.

    Attributes:
        model: the Keras model.
        signature: names, types and axes of inputs and outputs.
        specs: a `tf.TensorSpec` for each input.
        function: `call` as a `tf.function`.
    """

    def __init__(self, servable: Servable):
        super().__init__(name="tensor_model")
        self.model = model = servable.model
        kind = kind_of(model)
        inputs = tuple(
            Tensor(f.name, f.dtype, f.axes, f.meaning.partition(") ")[2])
            for f in kind.inputs
        )
        self.signature = Signature("tensors", inputs, kind.outputs)
        self.weights = [variable.value for variable in model.variables]
        self.specs = [
            tf.TensorSpec((None,) * len(t.shape), t.dtype, t.name) for t in inputs
        ]
        self.function = tf.function(
            self.call, input_signature=self.specs, autograph=False
        )

    def call(self, *arrays):
        """Inputs in the signature's order -> outputs by name."""
        names = (tensor.name for tensor in self.signature.inputs)
        outputs = self.model(dict(zip(names, arrays, strict=True)), training=False)
        return outputs if isinstance(outputs, dict) else {"logits": outputs}


def export_tensors(
    servable: Servable,
    output: str,
    file_name: str,
    convert: Callable[[TensorModel, Path], None],
    open_file: Callable[[Path], Callable[[dict], dict]],
    facts: dict,
) -> Path:
    """Writes OUTPUT/NAME/VERSION in a runtime's format, checked in that runtime.

    Args:
        servable: the model with its task and name.
        output: the directory of all exported models.
        file_name: of the graph.
        convert: writes a `TensorModel` to a path.
        open_file: a path to a function from NumPy inputs by name to NumPy outputs, in
            the runtime.
        facts: for the card, beside what is known of the model.

    Raises:
        ValueError: the runtime's outputs are not those of Keras, within `BOUND`.

    Returns: the version's directory.
    """
    tensor_model = TensorModel(servable)
    version = next_version(Path(output) / servable.name)
    with write_directory(version) as aside:
        file = aside / file_name
        convert(tensor_model, file)
        difference = _largest_difference(tensor_model, open_file(file), servable)
        if not difference <= BOUND:
            raise ValueError(
                f"Expected outputs of {file_name} within {BOUND:g} of those of Keras; "
                f"they differ by {difference:.2g}. Nothing was kept."
            )
        tokenizer, length = servable.tokenizer, servable.sequence_length
        config = servable.task.to_config() if servable.task else {}
        config.setdefault("pad_token_id", tokenizer.vocabulary.pad_id)
        write_config(servable.model, aside, config)
        write_tokenizer(tokenizer, aside, length)
        if not tokenizer.is_sentencepiece:
            # Users' texts go to it: what they type is text.
            write_tokenizers_file(tokenizer, aside, length, False)
        signature = tensor_model.signature
        card = model_card(servable, {signature.name: signature})
        card |= {"file": file_name, **facts, "largest_difference": difference}
        vectors = backbone_of(servable.model).text_vectors
        if vectors is not None:  # for the caller to compute: not inside
            card["embed"] = card_of_embed(vectors)
        text = json.dumps(card, ensure_ascii=False, indent=2)
        (aside / MODEL_CARD).write_text(text + "\n", "utf-8")
    return version


def _largest_difference(tensor_model, call, servable):
    """Over random rows of several shapes, filling among them; NaN if one is."""
    generator = np.random.default_rng(0)
    length = servable.sequence_length
    rows = backbone_of(servable.model).vocabulary_size
    largest = 0.0
    for count, share in _BATCHES:
        long = max(2, int(length * share))
        tensors = tensor_model.signature.inputs
        inputs = _random_inputs(generator, tensors, count, long, rows)
        expected = keras.tree.map_structure(
            np.asarray, tensor_model.function(*map(tf.constant, inputs.values()))
        )
        found = call(inputs)
        for tensor in tensor_model.signature.outputs:
            gap = np.abs(found[tensor.name] - expected[tensor.name]).max()
            largest = max(largest, float(gap)) if gap == gap else float("nan")
            if largest != largest:
                return largest
    return largest


def _random_inputs(generator, tensors, count, long, vocabulary_size):
    """Arrays (count, …) by name, the first row full, the others filled up."""
    each = _CHOICES if any("C" in tensor.shape for tensor in tensors) else 1
    num_rows = count * each
    lengths = generator.integers(1, long + 1, (num_rows, 1))
    lengths[0] = long
    second = generator.integers(1, long, (num_rows, 1))
    arrays = {
        "token_ids": generator.integers(0, vocabulary_size, (num_rows, long)),
        "segment_ids": np.arange(long) >= second,
        "padding_mask": np.arange(long) < lengths,
        "mask_positions": generator.integers(0, lengths, (num_rows, 3)),
    }
    return {
        tensor.name: arrays[tensor.name]
        .reshape((count, each, -1) if "C" in tensor.shape else (num_rows, -1))
        .astype(tensor.dtype)
        for tensor in tensors
    }
