"""Class weights: balanced, by name, and what is refused."""

import pytest

from kbert.tasks.classification.class_weights import class_weights


def test_balanced():
    # sklearn: compute_class_weight("balanced", classes=["a", "b"], y=list("aaab"))
    assert class_weights(("balanced",), ("a", "b"), list("aaab")) == (4 / 6, 4 / 2)


def test_by_name():
    assert class_weights(("b=2", "x=y=0.5"), ("a", "b", "x=y"), []) == (1, 2, 0.5)
    assert class_weights((), ("a", "b"), ["a"]) == ()


@pytest.mark.parametrize(
    "spec, message",
    [
        (("b",), "as LABEL=WEIGHT, or balanced alone; got 'b'"),
        (("balanced", "a=1"), "or balanced alone; got 'balanced'"),
        (("c=1",), "some of the labels a, b; got 'c=1'"),
        (("a=1", "a=2"), "got 'a=2' as a second one"),
        (("a=0",), "a class weight above 0; got 'a=0'"),
        (("a=-1",), "above 0; got 'a=-1'"),
        (("a=nan",), "above 0; got 'a=nan'"),
        (("a=inf",), "above 0; got 'a=inf'"),
        (("a=much",), "above 0; got 'a=much'"),
        (("balanced",), "examples of every label to balance; there is none of b"),
    ],
)
def test_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        class_weights(spec, ("a", "b"), ["a"])
