"""Where among the tensors of a file the encoder is, whatever holds it.

    bert.encoder.layer.0…              transformers
    encoder.layer.0…                   its BertModel, saved alone
    module._orig_mod.bert.encoder…     the same in DataParallel, compiled
    model.backbone.encoder.layer.0…    an attribute of somebody's own class

The encoder is found by its table of words, and what leads there is its prefix. The
model around it, "module._orig_mod." or "model." above, may have a head.
"""

import dataclasses
import re
from collections.abc import Iterable

# Modules that hold another one and compute what it computes: DataParallel and its
# kin, torch.compile, FSDP, activation checkpointing.
_WRAPPERS = {
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
}
# One is in every BERT; the others find a file in which it is missing.
_TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")
_PARTS = ("embeddings", "encoder", "pooler")
# Of training, and no part of a model's arithmetic.
_OF_TRAINING = {
    *("loss", "loss_fct", "loss_fn", "loss_func", "loss_function", "criterion"),
    *("loss_scale", "loss_scaler", "current_loss_scale", "good_steps", "bad_steps"),
    *("num_good_steps", "class_weight", "class_weights", "pos_weight", "optimizer"),
    *("global_step", "num_updates"),
}
_METRIC = re.compile(r"(train|val|valid|validation|test)_")  # as Lightning's users do
# Architectures whose tensors are named as BERT's are, or nearly so: the name of their
# encoder, as transformers spells it, which is `model_type` too.
_OTHERS = {
    *("albert", "bart", "bert-generation", "big_bird", "camembert"),
    *("canine", "codegen", "convbert", "data2vec", "data2vec-text", "deberta"),
    *("deberta-v2", "distilbert", "electra", "ernie", "ernie_m", "esm"),
    *("flaubert", "fnet", "funnel", "gpt2", "ibert", "layoutlm", "layoutlmv2"),
    *("layoutlmv3", "lilt", "longformer", "luke", "lxmert", "markuplm", "mobilebert"),
    *("megatron-bert", "modernbert", "mpnet", "mra", "nezha", "nomic_bert"),
    *("nystromformer", "perceiver", "qdqbert", "reformer", "rembert", "roberta"),
    *("roberta-prelayernorm", "roc_bert", "roformer", "splinter", "squeezebert", "t5"),
    *("tapas", "visual_bert", "xlm", "xlm-roberta", "xlm-roberta-xl"),
    *("xlnet", "xmod", "yoso", "neobert", "eurobert"),
}
_OTHERS_IN_LETTERS = {"".join(filter(str.isalnum, name)): name for name in _OTHERS}


@dataclasses.dataclass(frozen=True)
class EncoderNames:
    """The names of a file's tensors, sorted by what they are of.

    Attributes:
        encoder: name in the file -> its name in transformers' models, from "bert" on.
        around: name in the file -> its name in the model that holds the encoder, as
            "classifier.weight"; nothing where that is no class of transformers', which
            call their encoder "bert".
        beside: the others.
        prefix: what leads to the encoder in the file.
    """

    encoder: dict[str, str]
    around: dict[str, str]
    beside: tuple[str, ...]
    prefix: str

    @property
    def known(self) -> dict[str, str]:
        """Name in the file -> its name in transformers' models, where it has one."""
        return self.encoder | self.around


def encoder_names(names: Iterable[str], separator: str = ".") -> EncoderNames:
    """Finds the encoder among the names of tensors.

        >>> found = encoder_names([
        ...     "model.bert.embeddings.word_embeddings.weight",
        ...     "model.classifier.bias",
        ...     "crf.transitions",
        ... ])
        >>> found.encoder["model.bert.embeddings.word_embeddings.weight"]
        'bert.embeddings.word_embeddings.weight'
        >>> found.around, found.beside
        ({'model.classifier.bias': 'classifier.bias'}, ('crf.transitions',))

    Args:
        names: as the file spells them.
        separator: "." for PyTorch's, "/" for TensorFlow's.

    Raises:
        ValueError: several encoders, or one of an architecture that is not BERT but
            names its tensors alike.
    """
    words = {name: name.split(separator) for name in names}
    found = (_prefixes(words, table, separator) for table in _TABLES)
    usual = f"bert{separator}"
    is_usual = any(name.startswith(usual) for name in words)
    prefixes = next(filter(None, found), [usual if is_usual else ""])
    if len(prefixes) > 1:
        raise ValueError(
            f"Expected one encoder; there are {len(prefixes)}, under "
            f"{' and under '.join(map(_quoted, prefixes))}. Save the one that is meant "
            "in a file of its own."
        )
    plain = {name: _plain(parts) for name, parts in words.items()}
    (prefix,) = prefixes
    held = _plain(prefix.split(separator)[:-1])
    other = next((architecture_of(word) for word in held if architecture_of(word)), "")
    if other:
        raise ValueError(
            f"Expected a BERT; the tensors under {_quoted(prefix)} are of {other}, "
            "another architecture that names them alike and computes otherwise."
        )
    return _sorted(plain, held, prefix, separator)


def _sorted(plain, held, prefix, separator):
    """`plain`: name -> its words without wrappers; `held`: those of the prefix."""
    holder = held[:-1]
    is_usual = not held or held[-1] == "bert"
    encoder, around, beside = {}, {}, []
    for name, parts in plain.items():
        if separator == ".":
            parts = _today(parts)
        inner = parts[len(held) :]
        is_inside = parts[: len(held)] == held and (held or inner[0] in _PARTS)
        if is_inside:
            encoder[name] = separator.join(["bert", *inner])
        elif is_usual and parts[: len(holder)] == holder:
            around[name] = separator.join(parts[len(holder) :])
        else:
            beside.append(name)
    return EncoderNames(encoder, around, tuple(beside), prefix)


def _prefixes(words, table, separator):
    """What leads to each such table: "", "bert.", "module.bert."."""
    found = set()
    for parts in words.values():
        stop = len(parts) - (parts[-1] == "weight")
        if _plain(parts[:stop])[-2:] == ["embeddings", table]:
            start = max(
                i for i, word in enumerate(parts[:stop]) if word == "embeddings"
            )
            found.add("".join(f"{word}{separator}" for word in parts[:start]))
    return sorted(found)


def _plain(parts):
    return [word for word in parts if word not in _WRAPPERS]


def _today(parts):
    """LayerNorm.gamma and beta were what the first ports to PyTorch wrote."""
    if len(parts) > 1 and parts[-2] == "LayerNorm":
        last = {"gamma": "weight", "beta": "bias"}.get(parts[-1], parts[-1])
        return [*parts[:-1], last]
    return parts


def of_training(name: str) -> str | None:
    """Why a tensor may be left out that is no part of any model; or None.

    >>> of_training("module.loss_fct.weight"), of_training("crf_loss/transitions")
    ('of training, not of the model', None)
    """
    words = name.replace("/", ".").split(".")
    is_of_training = _OF_TRAINING.intersection(words) or any(map(_METRIC.match, words))
    return "of training, not of the model" if is_of_training else None


def architecture_of(name: str) -> str | None:
    """The architecture that a module, a class or a `model_type` is named after, if it
    is another than BERT.

    >>> architecture_of("RobertaForMaskedLM"), architecture_of("TFElectraModel")
    ('roberta', 'electra')
    >>> architecture_of("JointBERT"), architecture_of("bert"), architecture_of("")
    (None, None, None)
    """
    name = name.removeprefix("TF").removeprefix("Flax")
    for ending in ("For", "Model", "PreTrained", "LMHead"):
        head = name.partition(ending)[0]
        name = head or name
    letters = "".join(filter(str.isalnum, name.lower()))
    return _OTHERS_IN_LETTERS.get(letters)


def _quoted(prefix):
    return f'"{prefix}"' if prefix else "no prefix"
