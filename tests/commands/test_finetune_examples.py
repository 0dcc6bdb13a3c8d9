"""Holding out: the same every time, and articles whole."""

import pytest

from kbert.commands.finetune_examples import hold_out


def test_held_out_are_the_same_every_time_and_in_order():
    examples = list(range(100))
    kept, held_out = hold_out(examples, 0.1, lambda example: None)
    assert len(held_out) == 10
    assert sorted(kept + held_out) == examples
    assert held_out == sorted(held_out) and kept == sorted(kept)
    assert held_out != examples[:10]
    assert hold_out(examples, 0.1, lambda example: None) == (kept, held_out)


def test_groups_stay_together():
    examples = [(i, "abcdefghij"[i % 10]) for i in range(50)]
    kept, held_out = hold_out(examples, 0.2, lambda example: example[1])
    assert len(held_out) == 10
    assert not {group for _, group in kept} & {group for _, group in held_out}


def test_nothing_left_to_train_on():
    with pytest.raises(ValueError, match="there are 3 examples in 1 groups"):
        hold_out([1, 2, 3], 0.5, lambda example: "one article")
