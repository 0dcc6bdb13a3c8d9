"""A model cut to other sizes, its weights kept; and layers that no longer train."""

from collections.abc import Sequence

import keras

from kbert.layers.quantization import is_quantized
from kbert.models.backbone import backbone_of
from kbert.registry import kind_of


def drop_layers(model: keras.Model, keep: int | Sequence[int]) -> keras.Model:
    """A new model with some of the encoder blocks, as a student begins in distillation.

    All weights but those of the blocks left out are the same. The positions of blocks
    count from 0.

    Of 12 blocks, keep=4 leaves 0 1 2 3, and keep=[1, 3, 5, 7, 9, 11] every second:

        >>> from kbert.models.backbone import BertBackbone
        >>> model = BertBackbone(8, num_layers=2, num_heads=1, hidden_dim=2)
        >>> block = drop_layers(model, keep=[1]).blocks[0]
        >>> bool((block.get_weights()[0] == model.blocks[1].get_weights()[0]).all())
        True

    Args:
        model: a `BertBackbone`, or a model with a head on one (its `backbone`); it
            stays as it is.
        keep: how many of the first blocks, or the positions of those that stay, rising.

    Returns: the new model, of the same class and settings, uncompiled; it trains whole.

    Raises:
        ValueError: no block, one that is not there, or positions that do not rise; or
            a model with LoRA.
    """
    backbone = backbone_of(model)
    kept = list(range(keep)) if isinstance(keep, int) else list(keep)
    places = range(backbone.num_layers)
    if not kept or kept != sorted(set(kept)) or not set(kept) <= set(places):
        raise ValueError(
            f"keep must be from 1 to {backbone.num_layers}, or rising positions from 0 "
            f"to {backbone.num_layers - 1}; got {keep!r}."
        )
    new = with_sizes(model, num_layers=len(kept))
    new_backbone = backbone_of(new)
    blocks = [backbone.blocks[i] for i in kept]
    pairs = [
        (backbone.embeddings, new_backbone.embeddings),
        *zip(blocks, new_backbone.blocks, strict=True),
        (backbone.pooler, new_backbone.pooler),
    ]
    for old, layer in pairs:
        _copy(old.weights, layer.weights)
    _copy(head_weights(model), head_weights(new))
    return new


def resize_vocabulary(model: keras.Model, rows: int) -> keras.Model:
    """A new model with more or fewer rows in its token embedding.

    The first rows stay, bit for bit; new ones come last, and are drawn as the rows of a
    new model are (`keras.utils.set_random_seed` fixes them). The decoder of a masked
    language model is the embedding itself and follows; its bias is 0 for new rows.
    `kbert.with_vocabulary` also moves rows to where another vocabulary has their
    tokens, and begins new ones as the mean of their pieces, which is mostly better.

    Args:
        model: a `BertBackbone`, or a model with a head on one; it stays as it is.
        rows: V of the new model, as a multiple of 8 that hardware likes.

    Returns: the new model, of the same class and settings, uncompiled; it trains whole.

    Raises:
        ValueError: `rows` below 1, or a model with LoRA.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1; got {rows}.")
    new = with_sizes(model, vocabulary_size=rows)
    by_row = {id(variable) for variable in token_weights(model)}
    for old, variable in zip(all_weights(model), all_weights(new), strict=True):
        value = keras.ops.convert_to_numpy(old)
        if id(old) in by_row:
            resized = keras.ops.convert_to_numpy(variable).copy()  # new rows as drawn
            resized[: len(value)] = value[:rows]
            value = resized
        variable.assign(value)
    return new


def freeze(
    model: keras.Model, num_layers: int | None = None, embeddings: bool = True
) -> list[str]:
    """Stops the embeddings and the first blocks from training, and lets the others.

    A second call rules over the first, so that blocks are thawed one after the other by
    falling numbers; `freeze(model, 0, embeddings=False)` lets all of them train. Pooler
    and heads are left as they are. Compile the model after it: an optimizer knows the
    weights that trained when it was built. Dropout goes on in frozen blocks. With its
    embeddings frozen, the decoder of a masked language model, which is the same table,
    is frozen too.

        >>> from kbert.models.backbone import BertBackbone
        >>> model = BertBackbone(8, num_layers=2, num_heads=1, hidden_dim=2)
        >>> sorted({path.split("/")[0] for path in freeze(model, num_layers=1)})
        ['encoder_block_1', 'pooler']

    Args:
        model: a `BertBackbone`, or a model with a head on one; changed in place.
        num_layers: how many of the first blocks; None for all of them.
        embeddings: whether the embeddings, all three and their norm, stand still.

    Returns: the paths of the weights that still train.

    Raises:
        ValueError: more blocks than the model has, or fewer than 0; or a model with
            LoRA.
    """
    backbone = backbone_of(model)
    _refuse_lora(backbone)
    num_layers = backbone.num_layers if num_layers is None else num_layers
    if not 0 <= num_layers <= backbone.num_layers:
        raise ValueError(
            f"num_layers must be from 0 to {backbone.num_layers}, the blocks of this "
            f"model; got {num_layers}."
        )
    backbone.embeddings.trainable = not embeddings
    for i, block in enumerate(backbone.blocks):
        block.trainable = i >= num_layers
    return [variable.path for variable in model.trainable_weights]


def with_sizes(model: keras.Model, **sizes) -> keras.Model:
    """A new model of the same class and settings, but for some of the backbone's.

    Args:
        model: a `BertBackbone`, or a model with a head on one.
        **sizes: arguments of the backbone and their new values.

    Returns: the new model, with weights as a new model has them.

    Raises:
        ValueError: a model with LoRA, or one that is quantized.
    """
    backbone = backbone_of(model)
    _refuse_lora(backbone)
    if is_quantized(backbone) or is_quantized(model):
        raise ValueError(
            "Expected a model that is not quantized, since rows and kernels of whole "
            "numbers are copied for what they are. kbert.save it, which writes "
            "floating-point numbers, and load that."
        )
    resized = keras.saving.serialize_keras_object(backbone)
    resized["config"] |= sizes
    if model is backbone:
        new = keras.saving.deserialize_keras_object(resized)
        new.text_vectors = backbone.text_vectors
        return new
    return type(model).from_config(model.get_config() | {"backbone": resized})


def token_weights(model: keras.Model) -> list:
    """The variables of a model whose first axis is the vocabulary."""
    backbone = backbone_of(model)
    variables = [backbone.embeddings.token_embedding.embeddings]
    if kind_of(model).head == "pretrainer":
        variables.append(model.masked_lm_head.output_bias)
    return variables


def head_weights(model: keras.Model) -> list:
    """The variables of a model that are not its backbone's; none of a backbone."""
    backbone = backbone_of(model)
    own = {id(variable) for variable in backbone.weights}
    return [variable for variable in model.weights if id(variable) not in own]


def all_weights(model: keras.Model) -> list:
    """The backbone's variables and the head's; a pooler that no output reads, too."""
    return [*backbone_of(model).weights, *head_weights(model)]


def _refuse_lora(backbone):
    if backbone.has_lora:
        raise ValueError(
            "Expected a model without LoRA, which has kernels in two parts and chose "
            "what trains. kbert.save it, which merges them, and load that."
        )


def _copy(old, new):
    for source, variable in zip(old, new, strict=True):
        variable.assign(keras.ops.convert_to_numpy(source))
