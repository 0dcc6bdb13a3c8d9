"""KerasHub's preset directories, written with KerasHub.

Its own classes make the files, with random weights; the table of the reader then says
which of our weights goes where. What KerasHub has no place for is named.
"""

from pathlib import Path

import keras

from kbert.checkpoints.keras.kerashub import (
    FIXED,
    SIZES,
    opened_file,
    tensors_in,
    why_ignored,
)
from kbert.checkpoints.model_builder import variables_of
from kbert.checkpoints.weight_maps import (
    KERASHUB_HEADS,
    KERASHUB_MODEL,
    KERASHUB_TASK,
    kerashub_backbone,
)
from kbert.checkpoints.weight_transfer import extract
from kbert.disk.whole_directories import refuse_existing, write_directory
from kbert.models.backbone import BertBackbone, backbone_of
from kbert.registry import kind_of
from kbert.text.added_tokens import lost_added_tokens

# The special tokens of its tokenizer, which are spelled in its code; [UNK] is not.
_SPECIAL = ("pad_token", "cls_token", "sep_token", "mask_token")


def write_preset(
    model: keras.Model, directory: str | Path, tokenizer=None, overwrite: bool = False
) -> tuple[str, ...]:
    """Writes a directory that KerasHub's `from_preset` loads: aside, then renamed.

    A `BertPretrainer` becomes a `BertMaskedLM`, the others what they are called here.
    Reading it back gives every weight bit for bit, but for what is returned as lost.

    Args:
        model: a `BertBackbone`, `BertTextClassifier` or `BertPretrainer`, with either
            form of GELU.
        directory: where to.
        tokenizer: a `BertTokenizer` or `ReferenceTokenizer`; None leaves the preset
            without one, for inputs that are packed already.
        overwrite: replace a directory that exists.

    Returns: what KerasHub's format or code has no place for, a sentence each; empty
        where the preset computes what the model does.

    Raises:
        FileExistsError: the directory exists and `overwrite` is False.
        ImportError: KerasHub is not installed.
        ValueError: a model or tokenizer that KerasHub has no class for, an activation
            other than GELU, special tokens with other names, or more tokens than rows.
    """
    refuse_existing(directory, overwrite)
    head = _written_head(model)
    backbone = backbone_of(model)
    lost = [*_lost_of_model(backbone, head), *_lost_of_tokenizer(tokenizer, backbone)]
    theirs = _kerashub_objects(model, head, tokenizer)
    rows = kerashub_backbone(backbone.num_layers) + KERASHUB_HEADS[head]
    tensors = extract(variables_of(model), rows)
    with write_directory(directory, overwrite) as aside:
        for saved in theirs:
            saved.save_to_preset(str(aside))
        _fill(aside, tensors)
    return tuple(lost)


def _written_head(model) -> str:
    head = kind_of(model).head
    if head not in KERASHUB_HEADS:
        raise ValueError(
            "Expected a BertBackbone, BertTextClassifier or BertPretrainer; KerasHub "
            f"has no model for a {type(model).__name__}. Write its backbone alone: "
            "write_preset(model.backbone, …)."
        )
    return head


def _lost_of_model(backbone: BertBackbone, head: str) -> list[str]:
    if backbone.activation not in ("gelu", "gelu_tanh"):
        raise ValueError(
            f"Expected a model with GELU; this one has {backbone.activation}, and "
            "KerasHub's BERT would compute something else with its weights."
        )
    lost = []
    if backbone.activation == "gelu":
        lost.append(
            "activation: KerasHub computes the tanh form of GELU, this model the erf "
            "form; the outputs of 12 layers differ by about 1e-3."
        )
    if backbone.layer_norm_epsilon != FIXED["layer_norm_epsilon"]:
        lost.append(
            f"layer_norm_epsilon: KerasHub computes with 1e-12, this model with "
            f"{backbone.layer_norm_epsilon:g}."
        )
    if backbone.attention_dropout != backbone.dropout:
        lost.append(
            f"attention_dropout: KerasHub drops {backbone.dropout:g} everywhere, this "
            f"model {backbone.attention_dropout:g} of the attention; in training only."
        )
    if backbone.initializer_range != FIXED["initializer_range"]:
        lost.append(
            f"initializer_range: new heads start from 0.02 in KerasHub, from "
            f"{backbone.initializer_range:g} here."
        )
    if head == "pretrainer":
        lost.append("next_sentence_head: KerasHub has none; its weights are left out.")
        lost.append(
            "masked_lm_head: KerasHub computes it with the erf form of GELU and "
            f"epsilon 1e-5, this model with {backbone.activation} and "
            f"{backbone.layer_norm_epsilon:g}; its logits differ a little."
        )
    return lost


def _lost_of_tokenizer(tokenizer, backbone: BertBackbone) -> list[str]:
    if tokenizer is None:
        return []
    if tokenizer.is_sentencepiece:
        raise ValueError(
            "Expected a WordPiece tokenizer; KerasHub's BERT reads no SentencePiece "
            "model. Leave the tokenizer out and pack the inputs yourself."
        )
    vocabulary = tokenizer.vocabulary
    if len(vocabulary) > backbone.vocabulary_size:
        raise ValueError(
            f"Expected a vocabulary of at most {backbone.vocabulary_size} tokens, the "
            f"rows of the token embedding; it has {len(vocabulary)}: another model's."
        )
    for name in _SPECIAL:
        spelled = f"[{name.removesuffix('_token').upper()}]"
        if getattr(vocabulary, name) != spelled:
            raise ValueError(
                f"Expected {name} to be {spelled}, as KerasHub's code has it; the "
                f"vocabulary spells it {getattr(vocabulary, name)!r}."
            )
    stripped = [token for token in vocabulary.tokens if token != token.rstrip()]
    if stripped:
        raise ValueError(
            f"Expected tokens without white space at their end, which KerasHub strips; "
            f"the vocabulary has {stripped[0]!r}."
        )
    lost = [
        "tokenizer: KerasHub cuts text by rules of its own (NFKC, words of at most 100 "
        "bytes); ids can differ on rare characters and long words."
    ]
    if vocabulary.added_tokens:
        lost.append(lost_added_tokens(vocabulary))
    if not tokenizer.split_on_cjk:
        lost.append(
            "split_on_cjk: KerasHub does not store it; ideographs will be split apart."
        )
    return lost


def _kerashub_objects(model, head: str, tokenizer) -> list:
    """KerasHub's own model, its weights still random, and what is saved beside it."""
    try:
        import keras_hub
    except ImportError as error:
        raise ImportError(
            f"Expected KerasHub, to write its presets; {error}. pip install keras-nlp"
        ) from None
    ours = backbone_of(model)
    backbone = keras_hub.models.BertBackbone(
        **{name: getattr(ours, name) for name in SIZES}, dtype="float32"
    )
    texts = preprocessor = None
    length = ours.max_sequence_length
    if tokenizer is not None:
        strips = tokenizer.strip_accents
        texts = keras_hub.models.BertTokenizer(
            vocabulary=list(tokenizer.vocabulary.tokens),
            lowercase=tokenizer.lowercase,
            strip_accents=tokenizer.lowercase if strips is None else strips,
            oov_token=tokenizer.vocabulary.unknown_token,
        )
    if head == "backbone":
        return [backbone] if texts is None else [backbone, texts]
    if head == "text_classifier":
        if texts is not None:
            preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
                texts, sequence_length=length
            )
        task = keras_hub.models.BertTextClassifier(
            backbone, model.num_classes, preprocessor, dropout=model.dropout
        )
    else:
        if texts is not None:
            preprocessor = keras_hub.models.BertMaskedLMPreprocessor(
                texts,
                sequence_length=length,
                mask_selection_length=max(1, int(0.15 * length)),
            )
        task = keras_hub.models.BertMaskedLM(backbone, preprocessor)
    return [task]


def _fill(directory: Path, tensors: dict) -> None:
    """Puts our values in the places of the random ones that KerasHub has saved.

    Raises:
        ValueError: KerasHub's places are not those that the table names.
    """
    places = {}
    for file in (KERASHUB_MODEL, KERASHUB_TASK):
        if (directory / file).is_file():
            places |= tensors_in(directory, file)
    places = {name: place for name, place in places.items() if not why_ignored(name)}
    different = sorted(set(tensors) ^ set(places))
    if different:
        raise ValueError(
            "Expected KerasHub to store a BERT's weights under the names of kbert's "
            f"table; {', '.join(different[:5])} is on one side only. The KerasHub "
            "installed is newer, or older, than this version of kbert knows."
        )
    for file in (KERASHUB_MODEL, KERASHUB_TASK):
        ours = {n: t for n, t in tensors.items() if n.startswith(f"{file}/")}
        if ours:
            with opened_file(directory / file, "r+") as opened:
                for name, tensor in ours.items():
                    dataset = opened[places[name][1]]
                    dataset[...] = tensor.reshape(dataset.shape)
