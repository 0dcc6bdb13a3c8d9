"""google-research/bert's directories: TF1 checkpoints, read and written.

    bert_config.json             sizes, activation, dropouts
    bert_model.ckpt.index        names and shapes of the variables
    bert_model.ckpt.data-…       their numbers
    vocab.txt                    one token a line

What the files do not say is fixed in Google's code: GELU in its form by tanh, epsilon
1e-12. Whether text is lower-cased is a flag of its scripts, which
`kbert.text.foreign_settings` guesses. Checkpoints of run_pretraining.py,
run_classifier.py and run_squad.py are read, heads included. A tagger made from
run_classifier.py has a head that cannot be told from a classifier's: it is read as a
text classifier, unless `kbert.load(path, head="token_classifier")` says otherwise.
"""

import json
import warnings
from pathlib import Path

import keras

from kbert.checkpoints.checkpoint import Checkpoint
from kbert.checkpoints.encoder_names import encoder_names, of_training
from kbert.checkpoints.model_builder import variables_of
from kbert.checkpoints.tensorflow.tensor_bundle import (
    OBJECT_GRAPH,
    TensorBundle,
    find_prefix,
    write_tensors,
)
from kbert.checkpoints.weight_maps import (
    GOOGLE_ACTIVATIONS,
    GOOGLE_CONFIG_FIELDS,
    GOOGLE_DEFAULTS,
    GOOGLE_HEADS,
    GOOGLE_IGNORED,
    GOOGLE_STRANGERS,
    google_backbone,
)
from kbert.checkpoints.weight_transfer import extract
from kbert.config import BertConfig
from kbert.models.backbone import backbone_of
from kbert.registry import KINDS, kind_of

CONFIG, WEIGHTS = "bert_config.json", "bert_model.ckpt"
FORMAT = "Google TF1"

# run_classifier.py drops a tenth of the pooled output, whatever bert_config.json says.
_CLASSIFIER_DROPOUT = 0.1


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path looks like a TF1 checkpoint; it may still be incomplete.

    True for a directory with `*.index`, for the path that its files start with, and
    for a directory with `bert_config.json` alone; False for an object-based (TF2)
    checkpoint.
    """
    try:
        prefix = find_prefix(path)
        if prefix is None:
            return Path(path, CONFIG).is_file()
        return OBJECT_GRAPH not in TensorBundle(prefix)
    except ValueError:  # several, or damaged: read_checkpoint says it
        return True


def read_checkpoint(path: str | Path) -> Checkpoint:
    """A checkpoint's sizes, head and variables; no number is read until asked.

    Slots of the optimizer and the count of steps are ignored.

    Args:
        path: the directory, or the path of one checkpoint in it, "…/bert_model.ckpt".

    Raises:
        FileNotFoundError: no bert_config.json or no weights.
        ValueError: a damaged file, or another architecture than BERT.
    """
    path = Path(path)
    prefix = find_prefix(path)
    if prefix is None:
        raise FileNotFoundError(
            f"Expected the weights {WEIGHTS}.index and {WEIGHTS}.data-00000-of-00001 "
            f"of a Google checkpoint at {path}; there is no *.index."
        )
    bundle = TensorBundle(prefix)
    _check_architecture(bundle, prefix)
    try:
        found = encoder_names(bundle, "/")
    except ValueError as error:
        raise ValueError(f"{prefix}: {error}") from None
    theirs = {known: name for name, known in found.known.items()}
    _check_table(theirs, bundle, prefix)
    config = read_config(prefix.parent)
    head = _head(theirs)
    arguments = {}
    if KINDS[head].has_classes:  # of texts; those of tokens are spelled alike
        num_classes = bundle.shapes[theirs["output_bias"]][0]
        arguments = {"num_classes": num_classes, "dropout": _CLASSIFIER_DROPOUT}
    backbone = google_backbone(config.num_layers)
    return Checkpoint(
        format=FORMAT,
        path=prefix,
        config=config,
        head=head,
        head_arguments=arguments,
        names=tuple(bundle),
        read=bundle.__getitem__,
        rows={
            name: [row.spelled(theirs) for row in backbone + rows]
            for name, rows in GOOGLE_HEADS.items()
        },
        ignored=lambda name: _ignored(name, bundle),
        in_backbone=found.encoder.__contains__,
        is_head_guessed=KINDS[head].has_classes,
    )


def read_config(directory: str | Path) -> BertConfig:
    """`bert_config.json`; fields that are absent take the defaults of Google's code.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not JSON, not of a BERT, or of an activation that kbert does
            not have.
    """
    file = Path(directory) / CONFIG
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected {CONFIG} beside the weights in {directory}; it is not there. "
            "It says what the weights do not: how many heads attend. Copy the one the "
            "model was trained with."
        )
    try:
        stored = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {file}; {error}.") from None
    if not isinstance(stored, dict) or "vocab_size" not in stored:
        raise ValueError(f"Expected the sizes of a BERT in {file}; no vocab_size.")
    hidden_dim = stored.get("hidden_size", BertConfig.hidden_dim)
    if stored.get("embedding_size", hidden_dim) != hidden_dim:
        raise ValueError(
            f"Expected embeddings as wide as the encoder in {file}; embedding_size is "
            f"{stored['embedding_size']}, hidden_size {hidden_dim}: an ALBERT, an "
            "ELECTRA?"
        )
    fields = GOOGLE_DEFAULTS | {
        ours: stored[theirs]
        for theirs, ours in GOOGLE_CONFIG_FIELDS.items()
        if theirs in stored
    }
    activation = stored.get("hidden_act", "gelu")
    if activation not in GOOGLE_ACTIVATIONS:
        raise ValueError(
            f"Expected hidden_act to be one of {', '.join(GOOGLE_ACTIVATIONS)}; {file} "
            f"says {activation!r}."
        )
    return BertConfig(**fields, activation=GOOGLE_ACTIVATIONS[activation])


def write_checkpoint(
    model: keras.Model, directory: str | Path, config_extra: dict | None = None
) -> None:
    """Writes `bert_config.json`, `bert_model.ckpt` and `checkpoint`.

    google-research/bert's scripts take them as `--bert_config_file` and
    `--init_checkpoint`; `read_checkpoint` reads them back bit for bit. The vocabulary
    is not written.

    Args:
        model: any of kbert's models.
        directory: where to; made if it does not exist.
        config_extra: more fields of `bert_config.json`, which Google's code ignores.

    Raises:
        ValueError: not a model of kbert, or one, or an activation, that Google's code
            does not have.

    Warns where Google's code computes other numbers than the model: GELU by erf, an
    epsilon that is not 1e-12; and of a token classifier, which reads back as a text
    classifier unless the caller says what it is.
    """
    kind = kind_of(model)
    if kind.head not in GOOGLE_HEADS:
        raise ValueError(
            f"Expected a model that Google's scripts have; they have none for a "
            f"{kind.model_name}. Write its backbone alone: model.backbone."
        )
    config = backbone_of(model).get_config()
    stored = {theirs: config[ours] for theirs, ours in GOOGLE_CONFIG_FIELDS.items()}
    stored["hidden_act"] = _hidden_act(config["activation"])
    if config["layer_norm_epsilon"] != BertConfig.layer_norm_epsilon:
        warnings.warn(
            f"Google's code norms with epsilon {BertConfig.layer_norm_epsilon}, the "
            f"model with {config['layer_norm_epsilon']}, which is not written.",
            stacklevel=2,
        )
    rows = google_backbone(config["num_layers"]) + GOOGLE_HEADS[kind.head]
    tensors = extract(variables_of(model), rows)
    found = _head(tensors)
    if found != kind.head:
        written, read = (name.replace("_", " ") for name in (kind.head, found))
        warnings.warn(
            f"A {written} is written with the names of Google's {read}, as which it is "
            "read back unless the reader is told otherwise.",
            stacklevel=2,
        )
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(stored | (config_extra or {}), ensure_ascii=False, indent=2)
    (directory / CONFIG).write_text(text + "\n", "utf-8")
    write_tensors(tensors, directory / WEIGHTS)


def _hidden_act(activation):
    if activation == "gelu":
        warnings.warn(
            "The model's GELU is x Phi(x), by erf; Google's code computes its form by "
            "tanh, up to 4.7e-4 different at each use, and so will what it loads. The "
            "weights are the same.",
            stacklevel=3,
        )
        return "gelu"
    for theirs, ours in GOOGLE_ACTIVATIONS.items():
        if ours == activation:
            return theirs
    raise ValueError(
        "Expected an activation that Google's code has, gelu, "
        f"{', '.join(GOOGLE_ACTIVATIONS.values())}; the model's is {activation}."
    )


def _check_architecture(names, prefix):
    """
    Raises:
        ValueError: the variables are not those of a BERT; says whose, where known.
    """
    if OBJECT_GRAPH in names:
        raise ValueError(
            f"Expected a TF1 checkpoint in {prefix}; it is an object-based one of TF2, "
            "which kbert.checkpoints.tensorflow.model_garden reads."
        )
    for start, architecture in GOOGLE_STRANGERS.items():
        if any(name.startswith(start) for name in names):
            raise ValueError(
                f"Expected a BERT in {prefix}; its variables are of {architecture}, "
                "which is another architecture."
            )


def _check_table(known, names, prefix):
    table = google_backbone(0)[0].theirs[0]
    if table not in known:
        raise ValueError(
            f"Expected Google's BERT in {prefix}, with {table} among its variables; "
            f"they are {', '.join(sorted(names)[:4])}, …"
        )


def _head(names):
    """Which head is there: of fine-tuning before that of pre-training."""
    order = ("question_answerer", "text_classifier", "pretrainer")
    for head in order:
        if any(name in names for row in GOOGLE_HEADS[head] for name in row.theirs):
            return head
    return "backbone"


def _ignored(name, names):
    if name in GOOGLE_IGNORED:
        return GOOGLE_IGNORED[name]
    if name.rpartition("/")[0] in names:  # "…/kernel/adam_m": a variable on a variable
        return "a slot of the optimizer"
    return of_training(name)
