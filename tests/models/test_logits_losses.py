"""A loss that takes the logits of our heads for probabilities is named by `fit`."""

import functools
import warnings

import keras
import numpy as np
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import warn_of_probabilities
from kbert.models.question_answerer import BertQuestionAnswerer
from kbert.models.text_classifier import BertTextClassifier
from kbert.training.losses import TokenCrossEntropy


@pytest.fixture(scope="module")
def classifier():
    return BertTextClassifier(BertBackbone(9, 1, 1, 4, 4), 2)


LOSSES = keras.losses
OF_PROBABILITIES = {
    "by name": ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
    "by class name": ("CategoricalCrossentropy", "CategoricalCrossentropy"),
    "two classes": ("binary_crossentropy", "BinaryCrossentropy"),
    "a function": (LOSSES.binary_focal_crossentropy, "BinaryFocalCrossentropy"),
    "an object": (
        LOSSES.SparseCategoricalCrossentropy(),
        "SparseCategoricalCrossentropy",
    ),
    "one of several": (
        {"a": "mse", "b": LOSSES.CategoricalFocalCrossentropy()},
        "CategoricalFocalCrossentropy",
    ),
}
OF_LOGITS = {
    "an object": LOSSES.SparseCategoricalCrossentropy(from_logits=True),
    "two classes": LOSSES.BinaryCrossentropy(from_logits=True),
    "one's own": lambda y_true, y_pred: keras.ops.mean(y_pred),
    "a partial": functools.partial(LOSSES.binary_crossentropy, from_logits=True),
    "regression": "mean_squared_error",
    "kbert's": TokenCrossEntropy(),
    "several": [LOSSES.CategoricalCrossentropy(from_logits=True), None, "mae"],
    "none": None,
}


@pytest.mark.parametrize("name", OF_PROBABILITIES)
def test_of_probabilities(name, classifier):
    classifier.loss, words = OF_PROBABILITIES[name]
    message = (
        "Expected a loss that takes logits, which a BertTextClassifier gives; "
        rf"{words} was made for .* loss=keras.losses.{words}\(from_logits=True\)"
    )
    with pytest.warns(UserWarning, match=message):
        warn_of_probabilities(classifier)


@pytest.mark.parametrize("name", OF_LOGITS)
def test_of_logits(name, classifier):
    classifier.loss = OF_LOGITS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_probabilities(classifier)


def test_fit_says_so():
    model = BertQuestionAnswerer(BertBackbone(9, 1, 1, 4, 4))
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    inputs = {name: np.ones((2, 3), "int32") for name in model.input}
    targets = {name: np.array([0, 1]) for name in model.output}
    with pytest.warns(UserWarning, match="a BertQuestionAnswerer gives") as all_:
        model.fit(inputs, targets, verbose=0)
    assert any(warning.filename == __file__ for warning in all_)
