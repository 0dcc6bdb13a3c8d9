"""Every layer and model: argument = attribute = config key, and the round trip."""

import importlib
import inspect
import pkgutil

import keras
import pytest

import kbert.layers
import kbert.models

KERAS_OWN = ("self", "name", "dtype", "kwargs")


def backbone():
    return class_of("BertBackbone")(
        **ARGUMENTS["BertBackbone"] | {"dtype": "mixed_bfloat16", "name": "b"}
    )


# Every argument away from its default; callables make what cannot be a constant.
ARGUMENTS = {
    "BertEmbeddings": {
        "vocabulary_size": 11,
        "hidden_dim": 8,
        "max_sequence_length": 6,
        "num_segments": 3,
        "dropout": 0.3,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.5,
    },
    "SelfAttention": {
        "hidden_dim": 8,
        "num_heads": 2,
        "attention_dropout": 0.3,
        "initializer_range": 0.5,
    },
    "EncoderBlock": {
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 16,
        "activation": "relu",
        "dropout": 0.3,
        "attention_dropout": 0.4,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.5,
    },
    "MaskedLMHead": {
        "token_embedding": lambda: keras.layers.Embedding(11, 8),
        "activation": "relu",
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.5,
    },
    "NextSentenceHead": {"initializer_range": 0.5},
    "BertBackbone": {
        "vocabulary_size": 11,
        "num_layers": 3,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 16,
        "activation": "gelu_tanh",
        "dropout": 0.3,
        "attention_dropout": 0.4,
        "max_sequence_length": 6,
        "num_segments": 3,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.5,
    },
    "BertPretrainer": {"backbone": backbone},
    "BertTextClassifier": {"backbone": backbone, "num_classes": 5, "dropout": 0.6},
    "BertTokenClassifier": {"backbone": backbone, "num_classes": 5, "dropout": 0.6},
    "BertQuestionAnswerer": {"backbone": backbone},
    "BertMultipleChoice": {"backbone": backbone, "dropout": 0.6},
    "FlattenChoices": {},
    "GroupScores": {},
}


def classes():
    """The Keras layers and models defined in kbert.layers and kbert.models."""
    found = {}
    for package in (kbert.layers, kbert.models):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(module.name)
            for name, value in vars(module).items():
                is_layer = inspect.isclass(value) and issubclass(value, keras.Layer)
                if is_layer and value.__module__.startswith("kbert."):
                    found[name] = value
    return found


def class_of(name):
    return classes()[name]


def parameters(cls):
    return inspect.signature(cls.__init__).parameters


def made(name):
    """An instance and the arguments it was made with."""
    cls = class_of(name)
    values = {k: v() if callable(v) else v for k, v in ARGUMENTS[name].items()}
    takes_dtype = {"dtype", "kwargs"} & set(parameters(cls))
    keras_own = {"name": "own_name"}
    if takes_dtype:
        keras_own["dtype"] = "mixed_bfloat16"
    return cls(**values, **keras_own), values


def test_every_class_is_here():
    assert set(classes()) == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_is_set_away_from_its_default(name):
    defaults = {
        argument: parameter.default
        for argument, parameter in parameters(class_of(name)).items()
        if argument not in KERAS_OWN
    }
    assert list(ARGUMENTS[name]) == list(defaults)
    for argument, value in ARGUMENTS[name].items():
        assert value != defaults[argument], argument


@pytest.mark.parametrize("name", ARGUMENTS)
def test_argument_is_attribute_is_config_key(name):
    instance, values = made(name)
    config = instance.get_config()
    for argument, value in values.items():
        assert getattr(instance, argument) is value or (
            getattr(instance, argument) == value
        ), argument
        if isinstance(value, keras.Layer):
            value = keras.saving.serialize_keras_object(value)
        assert config[argument] == value, argument
    assert instance.name == config["name"] == "own_name"
    policy = getattr(instance, "policy", None) or instance.dtype_policy
    if "dtype" in config:
        assert policy.name == "mixed_bfloat16"
        assert config["dtype"] == keras.dtype_policies.serialize(policy)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_config_round_trip(name):
    instance, _ = made(name)
    config = instance.get_config()
    clone = class_of(name).from_config(config)
    assert clone.get_config() == config == instance.get_config()
    serialized = keras.saving.serialize_keras_object(instance)
    assert serialized["registered_name"] == f"kbert>{name}"
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is type(instance)
    assert again.get_config() == config
