"""What Keras' `compile` must know of the dtypes a model computes in."""

import keras


def training_policy(model: keras.Model) -> keras.DTypePolicy:
    """The dtype policy that a model trains by, whichever way its dtype was given.

    Keras scales the loss of models whose own `dtype_policy` is mixed_float16. That of a
    functional model is the global one, whatever its layers compute in; hence this goes
    into the constructor of each of ours, as `keras_hub.models.Task` takes that of its
    backbone.

    The weights are marked, too: a model that somebody else builds on ours has the
    global policy again, and `kbert.AdamW` then warns.

    Args:
        model: its graph is made.

    Returns: mixed_float16 where one of its layers with weights, float32 ones, computes
        in float16; else the policy of most of them.
    """
    policies = []
    for layer in model._flatten_layers(include_self=False):
        weights = layer.weights
        if not weights:
            continue
        policies.append((layer.variable_dtype, layer.compute_dtype))
        for variable in weights:
            if policies[-1] == ("float32", "float16"):
                variable.computes_in_float16 = True
    variable_dtype, compute_dtype = max(
        policies, key=lambda p: (p == ("float32", "float16"), policies.count(p))
    )
    is_mixed = variable_dtype != compute_dtype
    return keras.DTypePolicy(f"mixed_{compute_dtype}" if is_mixed else compute_dtype)
