"""A loss that takes the logits of our heads for probabilities is named by `fit`."""

import functools
import warnings

import keras
import pytest

from kbert.models.backbone import BertBackbone
from kbert.models.pretrainer import warn_of_probabilities
from kbert.models.text_classifier import BertTextClassifier
from kbert.registry import KINDS, loaded
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


@pytest.mark.parametrize("head", [head for head in KINDS if head != "backbone"])
def test_fit_says_so(head, monkeypatch):
    fitted = []
    monkeypatch.setattr(keras.Model, "fit", lambda self, *args: fitted.append(args))
    arguments = {"num_classes": 2} if KINDS[head].has_classes else {}
    model = loaded(KINDS[head].model)(BertBackbone(9, 1, 1, 4, 4), **arguments)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match=f"a {type(model).__name__} gives") as all_:
        model.fit("x", "y")
    assert [warning.filename for warning in all_] == [__file__]
    assert fitted == [("x", "y")]
