"""A checkpoint of any format to a model, and what of it went where."""

import dataclasses
import warnings

import keras

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.weight_transfer import LoadReport, assign, weights_by_path
from kbert.layers.initializer import filled_later, kernel_initializer
from kbert.layers.quantization import float_weight, parts_of
from kbert.models.backbone import BertBackbone, backbone_of
from kbert.registry import HEADS, KINDS, kind_of, loaded

_ALONE = (
    "Its backbone loads by itself: kbert.load_backbone(path), or kbert convert --head "
    "backbone."
)
_BESIDE = "beside the encoder"


def variables_of(model: keras.Model) -> dict:
    """All weights of one of kbert's models by path, those of the pooler included.

    The paths are the left side of every table in `weight_maps`:
    "embeddings/norm/gamma", "encoder_block_0/intermediate/kernel", "classifier/bias".
    What is in several parts is given as one float32 array of the numbers they stand
    for: a kernel with LoRA merged with its adapter, a quantized one dequantized.

    Raises:
        ValueError: weights quantized in a way that is not undone here, as GPTQ's.
    """
    backbone = backbone_of(model)
    layers = [backbone.embeddings, *backbone.blocks, backbone.pooler]
    layers += [getattr(model, name) for name in kind_of(model).head_layers]
    variables = weights_by_path(layers)
    _put_together(variables, layers)
    return variables


def _put_together(variables, layers):
    """Puts one array in the place of the parts of a kernel or an embedding.

    Keras' own `kernel` is codes, or cast to the compute dtype, as to bfloat16.
    """
    paths = {id(variable): path for path, variable in variables.items()}
    for part in (
        part for layer in layers for part in (layer, *parts_of(layer).values())
    ):
        is_dense = isinstance(part, keras.layers.Dense)
        if not is_dense and not isinstance(part, keras.layers.Embedding):
            continue
        if not part.lora_enabled and part.quantization_mode is None:
            continue
        # Of a table that two layers share, the parts are taken out once.
        own = [paths[id(v)] for v in part.weights if id(v) in paths]
        names = [path for path in own if not path.endswith("/bias")]
        for path in names:
            variables.pop(path, None)
        if names:
            name = "kernel" if is_dense else "embeddings"
            path = f"{names[0].rpartition('/')[0]}/{name}"
            variables[path] = float_weight(part)


def build(
    checkpoint: Checkpoint, head: str | None = None, dtype=None
) -> tuple[keras.Model, LoadReport]:
    """Makes the model of a checkpoint and fills it, strictly.

    Every weight of the encoder must be there. Pooler and head may be missing as a
    whole, as the next sentence head is in a masked language model: they are newly
    initialised, a warning names them, and they need training. Numbers are cast to
    float32, and to the model's own dtype from there.

    Args:
        checkpoint: from the reader of its format.
        head: one of `HEADS`, to make this model instead of the checkpoint's own. Its
            head is then filled if the checkpoint has it too, else newly initialised.
        dtype: Keras dtype policy of the model; None for the global one.

    Returns: the model and a report.

    Raises:
        ValueError: a weight of the encoder, or half of a head, is missing; a shape
            differs; a tensor has no place; or the number of classes is unknown.
    """
    is_own = head is None or head == checkpoint.head != "backbone"
    head = head or checkpoint.head
    if head not in HEADS:
        raise ValueError(
            f"Expected a model with one of the heads {', '.join(HEADS)}; "
            f"{checkpoint.path} is of {head}. {_ALONE} If its head is one of these by "
            "another name, say which: kbert.load(path, head=…)."
        )
    kind = KINDS[head]
    taken = _taken(checkpoint, head)
    rows = checkpoint.rows.get(head, checkpoint.rows["backbone"])
    rows = [row for row in rows if not taken.intersection(row.theirs)]
    names = set(checkpoint.names)
    arguments = _head_arguments(checkpoint, head, names, rows)
    with filled_later():
        model = BertBackbone(**checkpoint.config.arguments(), dtype=dtype)
        if head != "backbone":
            model = loaded(kind.model)(model, **arguments)
    missing = [
        part
        for part in ("pooler", *kind.head_layers)
        if not any(n in names for row in _rows_of(rows, part) for n in row.theirs)
    ]
    variables = variables_of(model)
    _draw(variables, missing, checkpoint.config.initializer_range)
    if not kind.reads_pooler and "pooler" in missing:  # which no output reads
        missing.remove("pooler")
        variables = {k: v for k, v in variables.items() if not k.startswith("pooler/")}

    optional = tuple(f"{part}/" for part in missing)
    ignored = _ignored(checkpoint, may_be_beside=not is_own)
    try:
        report = assign(variables, names, checkpoint.read, rows, ignored, optional)
    except ValueError as error:
        is_beside = is_own and any(
            ignored(name) is None and not checkpoint.in_backbone(name)
            for name in names - {name for row in rows for name in row.theirs}
        )
        more = f" {_ALONE}" if is_beside else ""
        raise ValueError(f"{checkpoint.path}: {error}{more}") from None
    beside = [name for name, why in report.ignored.items() if why == _BESIDE]
    if beside:
        more = ", …" * (len(beside) > 5)
        warnings.warn(
            f"{checkpoint.path}: left out what stands beside the encoder, "
            f"{', '.join(beside[:5])}{more}.",
            stacklevel=4,
        )
    if missing:
        warnings.warn(
            f"{checkpoint.path} has no weights for {' and '.join(missing)}, newly "
            "initialised: train before you trust what comes out there.",
            stacklevel=4,  # whoever called `load`
        )
    report = dataclasses.replace(
        report, format=checkpoint.format, path=checkpoint.path, head=head
    )
    return model, report


def _ignored(checkpoint, may_be_beside):
    """What the format may leave over, and what belongs to a head not asked for.

    `may_be_beside`: a head that is in no table, too.
    """
    of_heads = set().union(*(_head_names(checkpoint, head) for head in HEADS))

    def why(name):
        reason = checkpoint.ignored(name)
        if reason is None and name in of_heads:
            reason = "of a head that was not asked for"
        if reason is None and may_be_beside and not checkpoint.in_backbone(name):
            reason = _BESIDE
        return reason

    return why


def _draw(variables, parts, stddev):
    """Gives the kernels of some layers the values of a new model's."""
    for path, variable in variables.items():
        if path.startswith(tuple(f"{part}/" for part in parts)) and "kernel" in path:
            variable.assign(kernel_initializer(stddev)(variable.shape))


def _rows_of(rows, part):
    return [row for row in rows if row.ours.startswith(f"{part}/")]


def _head_names(checkpoint, head):
    """The foreign names that the rows of a head ask for, backbone left out."""
    parts = KINDS[head].head_layers
    rows = checkpoint.rows.get(head, ())
    return {n for part in parts for row in _rows_of(rows, part) for n in row.theirs}


def _taken(checkpoint, head):
    """The tensors of the stored head, where a model with another one is asked for.

    Two heads may spell their tensors alike (a classifier of texts and one of tokens).
    """
    if head == checkpoint.head or checkpoint.head not in HEADS:
        return set()
    if checkpoint.is_head_guessed:
        return set()
    return _head_names(checkpoint, checkpoint.head)


def _head_arguments(checkpoint, head, names, rows):
    """What the head's constructor takes; the number of classes if need be by a tensor.

    Raises:
        ValueError: neither settings nor tensors say how many classes there are.
    """
    arguments = dict(checkpoint.head_arguments) if head == checkpoint.head else {}
    kind = KINDS[head]
    if not kind.has_classes:
        return arguments
    if arguments.get("num_classes") is None:
        biases = [
            row.theirs[0]
            for row in rows
            if row.ours == f"{kind.head_layers[0]}/bias" and row.theirs[0] in names
        ]
        if not biases:
            raise ValueError(
                f"Expected a number of classes in {checkpoint.path}; neither its "
                "settings nor its weights tell one. Load the backbone and put a head "
                f"on it: kbert.{kind.model_name}(kbert.load_backbone(path), "
                "num_classes)."
            )
        arguments["num_classes"] = len(checkpoint.read(biases[0]))
    return arguments
