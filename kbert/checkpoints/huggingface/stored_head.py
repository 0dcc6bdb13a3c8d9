"""Which head a Hugging Face directory holds, by its config.json and its tensors."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from kbert.checkpoints.encoder_names import EncoderNames, of_training
from kbert.checkpoints.weight_maps import HUGGINGFACE_HEADS, HUGGINGFACE_REDUNDANT
from kbert.registry import ARCHITECTURES, HEADS, KINDS


def architecture(config: Mapping) -> str | None:
    """The class that config.json names first, without the TF or Flax of its twins."""
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names else None
    if not isinstance(name, str):
        return None
    return name.removeprefix("TF").removeprefix("Flax")


def stored_head(
    config: Mapping, found: EncoderNames, theirs: Mapping[str, str], directory: Path
) -> tuple[str, dict]:
    """The head, and what its constructor takes.

    It is what config.json says; where that is nothing, or cannot be, as in a file of
    weights that lies beside the settings it was trained from, what the tensors say.

    Args:
        config: `config.json`.
        found: the names of all tensors.
        theirs: transformers' name -> the name in the file.
        directory: for messages.

    Returns: one of `kbert.registry.HEADS`, or words for what is none of them; and its
        arguments beside the backbone.
    """
    name = architecture(config)
    said = ARCHITECTURES.get(name, name)
    stored = _head_by_tensors(theirs)
    if said is None:
        own = [n for n in _of_no_head(found) if of_training(n) is None]
        if own:
            more = ", …" * (len(own) > 3)
            return f"a class of somebody's own, with {', '.join(own[:3])}{more}", {}
        return stored, _head_arguments(config, stored)
    if said not in HEADS or stored in ("backbone", said):
        return said, _head_arguments(config, said)
    if any(name in theirs for row in HUGGINGFACE_HEADS[said] for name in row.theirs):
        return said, _head_arguments(config, said)
    warnings.warn(
        f"{directory}: config.json names {name}, whose head is not there; the "
        f"tensors are those of a {stored.replace('_', ' ')}, as which they are read.",
        stacklevel=5,
    )
    arguments = _head_arguments(config, stored)
    return stored, arguments | ({"num_classes": None} if arguments else {})


def _of_no_head(found):
    """Tensors outside the encoder that are those of no head of transformers."""
    heads = {
        name
        for rows in HUGGINGFACE_HEADS.values()
        for row in rows
        for name in row.theirs
    }
    strange = [
        name
        for name, known in found.around.items()
        if known not in heads and known not in HUGGINGFACE_REDUNDANT
    ]
    return sorted([*strange, *found.beside])


def _head_by_tensors(names):
    """The head, where config.json does not name it."""
    if any(name.startswith("cls.") for name in names):
        return "pretrainer"
    if "qa_outputs.weight" in names:
        return "question_answerer"
    if "classifier.weight" in names:
        has_pooler = "bert.pooler.dense.weight" in names
        return "text_classifier" if has_pooler else "token_classifier"
    return "backbone"


def _head_arguments(config, head):
    if head not in KINDS or not KINDS[head].has_classes:
        return {}
    num_classes = len(config.get("id2label") or ()) or config.get("num_labels")
    return {"num_classes": num_classes, "dropout": config.get("classifier_dropout")}
