"""What an exported model says of itself: `model_card.json`."""

import dataclasses
import json
from pathlib import Path

from kbert.disk.provenance import sha256, versions
from kbert.export.servable import Servable
from kbert.models.backbone import backbone_of
from kbert.models.text_vectors import TextVectors
from kbert.registry import KINDS, kind_of
from kbert.signatures import Signature


def model_card(servable: Servable, signatures: dict[str, Signature]) -> dict:
    """The card of an exported model, ready for JSON.

    Scores and data come from the `run.json` that `kbert finetune` leaves in a model's
    directory, and are empty without it. Paths are cut to the names of files: the card
    travels.

    Args:
        signatures: by name; the first is the default.
    """
    model, task = servable.model, servable.task
    backbone, kind = backbone_of(model), kind_of(model)
    run = _read_run(servable.directory)
    weights = servable.directory / "model.safetensors"
    return {
        "name": servable.name,
        "task": kind.task,
        "words": _words(kind, signatures),
        "problem_type": getattr(task, "problem_type", None),
        "labels": list(getattr(task, "labels", ())),
        "default_signature": next(iter(signatures)),
        "signatures": {name: s.to_config() for name, s in signatures.items()},
        "sequence_length": servable.sequence_length,
        "num_layers": backbone.num_layers,
        "num_heads": backbone.num_heads,
        "hidden_dim": backbone.hidden_dim,
        "vocabulary_size": backbone.vocabulary_size,
        "parameters": model.count_params(),
        "weights_sha256": sha256(weights) if weights.is_file() else None,
        "metrics": run.get("dev", {}),
        "data": {part: _facts(facts) for part, facts in run.get("data", {}).items()},
        "versions": versions(),
    }


def _words(kind, signatures):
    """What a page calls the task and its functions, in every language it has."""
    page = {**KINDS["backbone"].page, **kind.page}
    return {
        "task": dict(kind.words),
        "signatures": {
            name: dataclasses.asdict(page[name]) for name in signatures if name in page
        },
    }


def _read_run(directory):
    file = directory / "run.json"
    try:
        return json.loads(file.read_text("utf-8")) if file.is_file() else {}
    except ValueError:
        return {}  # a card without scores is better than no model


def _facts(facts):
    if not isinstance(facts, dict) or "source" not in facts:
        return facts
    return facts | {"source": Path(facts["source"]).name}


def card_of_embed(vectors: TextVectors) -> dict:
    """How vectors of texts are made, for the card."""
    return {
        "vectors": str(vectors),
        "pooling": list(vectors.poolings),
        "normalized": vectors.is_normalized,
        "sequence_length": vectors.sequence_length,
        "prompt": vectors.prompt,
        "prompts": dict(vectors.prompts),
    }
