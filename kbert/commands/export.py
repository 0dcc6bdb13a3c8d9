"""What `kbert export` and its kin call: models in the formats of other runtimes."""

import sys
from collections.abc import Iterator
from pathlib import Path

from kbert.checkpoints.hubs import hub_name
from kbert.checkpoints.local_path import local_path
from kbert.commands.backends import check_backend
from kbert.commands.early_checks import (
    UsageError,
    check_choice,
    check_model,
    check_output,
    check_packages,
)
from kbert.signatures import POOLINGS, served_name


def export_saved_model(
    model: str,
    output: str = "saved_models",
    name: str | None = None,
    pooling: str | None = None,
    normalize: bool | None = None,
    warm_up: bool = False,
) -> Path:
    """Export a model as a SavedModel that takes strings.

    It is written to OUTPUT/NAME/VERSION, the layout that TensorFlow Serving watches:
    aside first and renamed when whole, under the next free version number.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all served models.
        name: of this one; by default that of the model's directory, or on its hub.
        pooling: of `embed`: mean of a text's tokens, cls, max, mean_sqrt_len_tokens,
            weightedmean or lasttoken. By default what a directory of
            sentence-transformers says, for others mean.
        normalize: scale the vectors of `embed` to the length 1, or not; by default as
            such a directory says, for others not.
        warm_up: add a request for each signature, which TensorFlow Serving answers for
            itself before it takes others. It needs kbert[grpc].

    Raises:
        ModuleNotFoundError: `warm_up` without kbert[grpc].
        ValueError: a name that is no plain file name, or weights that a head needs are
            missing.

    Returns: the version's directory.
    """
    check_choice("pooling", pooling, POOLINGS)
    _check(model, output, name)
    if warm_up:
        check_packages("grpc", "tensorflow_serving")
    path = local_path(model)
    from kbert.export.saved_model import write_saved_model
    from kbert.export.servable import load_servable

    servable = load_servable(path, name or hub_name(model))
    for line in words_on_vectors(servable.model, pooling, normalize):
        print(line, file=sys.stderr)
    return write_saved_model(servable, output, pooling, normalize, warm_up)


def words_on_vectors(
    model, pooling: str | None, normalize: bool | None
) -> Iterator[str]:
    """What `embed` will do, where the directory says how its vectors are made."""
    from kbert.models.backbone import backbone_of

    own = backbone_of(model).text_vectors
    if own is None:
        return
    chosen = own.with_options(pooling, normalize)
    if str(chosen) == str(own):
        yield f"embed: {own}, as the directory says."
    else:
        yield f"embed: {chosen}, as asked for; the directory says {own}."
    others = {name: p for name, p in own.prompts.items() if p != own.prompt}
    if others:
        shown = ", ".join(f"{name} {text!r}" for name, text in others.items())
        yield f"Trained with prompts, to be put before texts of their kind: {shown}."


def export_onnx(
    model: str, output: str = "onnx_models", name: str | None = None
) -> Path:
    """Export a model's tensor part as ONNX, checked in ONNX Runtime.

    Ids go in and logits come out: tokenization, windows over long texts and the search
    for the answer are not inside. Written to OUTPUT/NAME/VERSION/model.onnx, with
    labels, the tokenizer's files and a card that names inputs and outputs beside it. It
    needs the packages of kbert[onnx].

    `masked_lm` has a number for every row of the token embedding: what may fill a mask
    are the rows that vocab.txt has, special tokens left out.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all models exported so.
        name: of this one; by default that of the model's directory, or on its hub.

    Raises:
        ModuleNotFoundError: kbert[onnx] is not installed.
        ValueError: a name that is no plain file name, weights that a head needs are
            missing, or outputs more than 1e-4 away from those of Keras.

    Returns: the version's directory.
    """
    _check(model, output, name)
    check_packages("onnx", "onnx", "onnxruntime", "tf2onnx")
    path = local_path(model)
    from kbert.export.onnx import write_onnx
    from kbert.export.servable import load_servable

    return write_onnx(load_servable(path, name or hub_name(model)), output)


def export_litert(
    model: str, output: str = "litert_models", name: str | None = None
) -> Path:
    """Export a model's tensor part for LiteRT, checked in its interpreter.

    Ids go in and logits come out: tokenization, windows over long texts and the search
    for the answer are not inside. Written to OUTPUT/NAME/VERSION/model.tflite, float32,
    built-in ops only, with labels, the tokenizer's files and a card that names inputs
    and outputs beside it.

    Args:
        model: the directory of a model, a preset's name, or what else `kbert.load`
            takes.
        output: the directory of all models exported so.
        name: of this one; by default that of the model's directory, or on its hub.

    Raises:
        ValueError: a name that is no plain file name, weights that a head needs are
            missing, or outputs more than 1e-4 away from those of Keras.

    Returns: the version's directory.
    """
    _check(model, output, name)
    path = local_path(model)
    from kbert.export.litert import write_litert
    from kbert.export.servable import load_servable

    return write_litert(load_servable(path, name or hub_name(model)), output)


def _check(model, output, name):
    check_backend("An export")
    check_model(model)
    check_output(output, overwrite=True)
    if name is not None:
        try:
            served_name(name)
        except ValueError as error:
            raise UsageError(str(error)) from None
