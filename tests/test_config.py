"""BertConfig: the sizes, the errors, and the fields, which are the backbone's."""

import dataclasses
import inspect

import pytest

from kbert.config import SIZES, BertConfig
from kbert.models.backbone import BertBackbone


@pytest.mark.parametrize(
    "size, num_layers, hidden_dim, num_heads, intermediate_dim",
    [
        ("tiny", 2, 128, 2, 512),
        ("mini", 4, 256, 4, 1024),
        ("small", 4, 512, 8, 2048),
        ("medium", 8, 512, 8, 2048),
        ("base", 12, 768, 12, 3072),
        ("large", 24, 1024, 16, 4096),
    ],
)
def test_sizes(size, num_layers, hidden_dim, num_heads, intermediate_dim):
    config = SIZES[size]()
    assert config == BertConfig(
        num_layers=num_layers,
        hidden_dim=hidden_dim,
        num_heads=num_heads,
        intermediate_dim=intermediate_dim,
    )


def test_sizes_are_all_listed():
    assert list(SIZES) == ["tiny", "mini", "small", "medium", "base", "large"]


def test_defaults_are_the_papers():
    assert BertConfig().arguments() == {
        "vocabulary_size": 30522,
        "num_layers": 12,
        "num_heads": 12,
        "hidden_dim": 768,
        "intermediate_dim": 3072,
        "activation": "gelu",
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "max_sequence_length": 512,
        "num_segments": 2,
        "layer_norm_epsilon": 1e-12,
        "initializer_range": 0.02,
    }


def test_overrides_win_over_the_size():
    config = SIZES["tiny"](vocabulary_size=99, num_layers=3)
    assert (config.vocabulary_size, config.num_layers, config.hidden_dim) == (
        99,
        3,
        128,
    )


def test_arguments_are_the_backbones():
    parameters = inspect.signature(BertBackbone.__init__).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in ("self", "dtype", "name")
    }
    assert BertConfig().arguments() == defaults


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        BertConfig().num_layers = 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_layers": 0}, "num_layers must be a positive integer; got 0"),
        ({"vocabulary_size": -1}, "vocabulary_size must be a positive integer; got -1"),
        ({"hidden_dim": 8.0}, "hidden_dim must be a positive integer; got 8.0"),
        (
            {"hidden_dim": 10, "num_heads": 3},
            "hidden_dim must be a multiple of num_heads; got hidden_dim=10, "
            "num_heads=3",
        ),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        (
            {"attention_dropout": -0.1},
            "attention_dropout must be at least 0 and below 1; got -0.1",
        ),
        ({"activation": "swoosh"}, "activation must be one of gelu, .*got 'swoosh'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        BertConfig(**arguments)
