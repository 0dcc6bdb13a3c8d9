"""A fine-tuned model as a SavedModel: strings in; label, score and scores out."""

from pathlib import Path

import tensorflow as tf

from kbert.checkpoints.atomic import write_directory
from kbert.checkpoints.huggingface import read_config
from kbert.checkpoints.model_directory import load, load_tokenizer, model_path
from kbert.tasks.text_classification import TextClassification
from kbert.text.preprocessor import BertPreprocessor

INPUT_NAMES = ("text", "text_b")


class ServedClassifier(tf.Module):
    """A classifier with its text stage, as one module of TensorFlow functions.

    Args:
        model: a `BertTextClassifier`.
        preprocessor: a `BertPreprocessor`.
        task: a `TextClassification`; two text columns make `classify` take a pair.
    """

    def __init__(self, model, preprocessor, task):
        super().__init__(name="served_classifier")
        self.preprocessor = preprocessor
        self.apply_model = lambda inputs: model(inputs, training=False)
        # The module owns the weights: a SavedModel holds what its root can reach.
        self.weights = [v.value for v in model.variables]
        self.labels = tf.constant(task.labels)  # (C,)
        names = INPUT_NAMES[: len(task.text_columns)]
        self.signature = [tf.TensorSpec((None,), tf.string, name=n) for n in names]

    def classify(self, *texts):
        """Strings (B,), or two of them, to a dict of `label`, `score` and `scores`.

        `label` string (B,), the likeliest; `score` float32 (B,), its probability;
        `scores` float32 (B, C), all of them, in the order of the labels.
        """
        inputs = self.preprocessor(texts if len(texts) > 1 else texts[0])
        # Padding that no row of the batch needs is cut: short texts are answered fast.
        lengths = tf.reduce_sum(inputs["padding_mask"], axis=1)
        longest = tf.maximum(tf.reduce_max(lengths), 2)
        inputs = {name: x[:, :longest] for name, x in inputs.items()}
        scores = tf.nn.softmax(self.apply_model(inputs))  # (B, C)
        return {
            "label": tf.gather(self.labels, tf.argmax(scores, axis=1)),
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
        }


def export_saved_model(
    model: str, output: str = "saved_models", name: str | None = None
) -> Path:
    """Export a fine-tuned model as a SavedModel that takes strings.

    It is written to OUTPUT/NAME/VERSION, the layout that TensorFlow Serving watches:
    aside first and renamed when whole, under the next free version number.

    Args:
        model: the directory of a fine-tuned model.
        output: the directory of all served models.
        name: of this one; by default that of the model's directory.

    Raises:
        ValueError: the model is none that classifies texts, with one label each.

    Returns: the version's directory.
    """
    directory = model_path(model)
    task = TextClassification.from_config(read_config(directory))
    if task.problem_type != "single_label_classification":
        raise ValueError(
            "Expected a classifier with one label for each text to export; the one in "
            f"{directory} is for {task.problem_type}. kbert predict answers with it."
        )
    preprocessor = BertPreprocessor(load_tokenizer(directory), task.sequence_length)
    module = ServedClassifier(load(directory, dtype="float32"), preprocessor, task)
    classify = tf.function(module.classify, input_signature=module.signature)
    served = Path(output) / (name or directory.resolve().name)
    versions = [int(p.name) for p in served.glob("[0-9]*") if p.name.isdigit()]
    version = served / str(max(versions, default=0) + 1)
    with write_directory(version) as aside:
        tf.saved_model.save(
            module,
            str(aside),
            signatures={"serving_default": classify, "classify": classify},
        )
    return version
