"""Every signature of a SavedModel, declared once: what goes in, what comes out.

The graphs that compute them (`served_*.py`) return these outputs, the server trims and
documents by them, `model_card.json` lists them. Letters: B texts, free; C classes; E
entities; N answers; M masks; K candidates; L tokens; D hidden dim. Every output has the
batch axis first. Where texts have different numbers of something, the axis is as long
as the batch's most, and filled up: strings with "", places with -1, scores with 0.
"""

import dataclasses
import re

MODEL_CARD = "model_card.json"  # beside a graph, or among a SavedModel's assets
# Of `embed`: how a text gets one vector; `kbert.models.text_vectors` has the formulas.
POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def served_name(name: str) -> str:
    """The name, which becomes a directory and a part of addresses.

    Raises:
        ValueError: other characters than letters, digits, "_", "-" and ".", or a dot
            at the start.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            "Expected a name of letters, digits, _, - and . that starts with none of "
            f"the last two; got {name!r}. Choose one with --name."
        )
    return name


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: as the signature calls it.
        dtype: "string", "float32", "int32" or "bool".
        shape: letters, "BE" for (B, E); "" for a scalar, which may also be given once
            for each text.
        meaning: for people.
        default: of an input that may be left out.
    """

    name: str
    dtype: str
    shape: str
    meaning: str
    default: int | None = None


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function of a SavedModel.

    Attributes:
        lengths: for a letter, the output int32 (B,) that counts what of that axis is no
            filling: {"E": "num_entities"}.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    lengths: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_config(self) -> dict:
        """Ready for JSON, as `model_card.json` has it; shapes as lists of letters."""

        def listed(tensors):
            return {
                tensor.name: {
                    "dtype": tensor.dtype,
                    "shape": list(tensor.shape),
                    "meaning": tensor.meaning,
                }
                | ({} if tensor.default is None else {"default": tensor.default})
                for tensor in tensors
            }

        return {
            "inputs": listed(self.inputs),
            "outputs": listed(self.outputs),
            "lengths": dict(self.lengths),
        }


TEXT = Tensor("text", "string", "B", "a text")
TEXT_B = Tensor("text_b", "string", "B", "the second text of a pair")
TRUNCATED = Tensor("truncated", "bool", "B", "whether tokens of the input were cut off")

_CLASSES = (
    Tensor("label", "string", "B", "the likeliest label"),
    Tensor("score", "float32", "B", "its probability, 0 to 1"),
    Tensor("scores", "float32", "BC", "the probability of each label"),
    Tensor("labels", "string", "BC", "the labels, in the order of the scores"),
)


def classify(num_texts: int) -> Signature:
    """One label for each text or pair; the scores sum to 1."""
    return Signature("classify", (TEXT, TEXT_B)[:num_texts], (*_CLASSES, TRUNCATED))


def classify_several(num_texts: int) -> Signature:
    """Any number of labels; each score stands alone."""
    chosen = Tensor("is_chosen", "bool", "BC", "whether a label's score is above 0.5")
    outputs = (*_CLASSES, chosen, TRUNCATED)
    return Signature("classify", (TEXT, TEXT_B)[:num_texts], outputs)


def regress(num_texts: int) -> Signature:
    """A number."""
    score = Tensor("score", "float32", "B", "the number, as the training data had it")
    return Signature("regress", (TEXT, TEXT_B)[:num_texts], (score, TRUNCATED))


TAG = Signature(
    "tag",
    (TEXT,),
    (
        Tensor("types", "string", "BE", "of each entity (a plain tagger: each unit's)"),
        Tensor("texts", "string", "BE", "the slice of the text"),
        Tensor("starts", "int32", "BE", "where it begins, in characters"),
        Tensor("ends", "int32", "BE", "where it ends: text[start:end]"),
        Tensor("scores", "float32", "BE", "mean probability of its units' tags"),
        Tensor("num_entities", "int32", "B", "how many of the E there are"),
        TRUNCATED,
    ),
    {"E": "num_entities"},
)

ANSWER = Signature(
    "answer",
    (
        Tensor("question", "string", "B", "a question"),
        Tensor("context", "string", "B", "the text that may hold the answer"),
    ),
    (
        Tensor("answer", "string", "B", 'a slice of the context, or ""'),
        Tensor("start", "int32", "B", "where it begins, in characters; -1 for none"),
        Tensor("end", "int32", "B", "where it ends: context[start:end]; -1 for none"),
        Tensor("score", "float32", "B", "its share of the n-best answers, 0 to 1"),
        Tensor("n_best_answers", "string", "BN", 'best first; "" is no answer'),
        Tensor("n_best_starts", "int32", "BN", "in characters"),
        Tensor("n_best_ends", "int32", "BN", "in characters"),
        Tensor("n_best_scores", "float32", "BN", "sum to 1"),
        Tensor("num_answers", "int32", "B", "how many of the N there are"),
        Tensor(
            "no_answer_probability",
            "float32",
            "B",
            "the share of no answer; 0 where every question has one",
        ),
        TRUNCATED,
    ),
    {"N": "num_answers"},
)

FILL_MASK = Signature(
    "fill_mask",
    (
        Tensor("text", "string", "B", "a text with [MASK] in it"),
        Tensor("k", "int32", "", "candidates for each mask", default=5),
    ),
    (
        Tensor("tokens", "string", "BMK", "the likeliest first"),
        Tensor("scores", "float32", "BMK", "their probabilities"),
        Tensor("filled", "string", "BMK", "the text with it there, up to 8 KiB"),
        Tensor("num_masks", "int32", "B", "how many of the M there are"),
        TRUNCATED,
    ),
    {"M": "num_masks"},
)

NEXT_SENTENCE = Signature(
    "next_sentence",
    (TEXT, TEXT_B),
    (
        Tensor("score", "float32", "B", "probability that the second text follows"),
        Tensor("is_next", "bool", "B", "whether that is above 0.5"),
        TRUNCATED,
    ),
)

EMBED = Signature(
    "embed",
    (TEXT,),
    (Tensor("embedding", "float32", "BD", "one vector for each text"), TRUNCATED),
)

TOKENIZE = Signature(
    "tokenize",
    (TEXT,),
    (
        Tensor("tokens", "string", "BL", "pieces, without special tokens"),
        Tensor("token_ids", "int32", "BL", "their rows of the vocabulary; else -1"),
        Tensor("starts", "int32", "BL", "where a piece begins, in characters"),
        Tensor("ends", "int32", "BL", "where it ends: text[start:end]"),
        Tensor("num_tokens", "int32", "B", "how many of the L there are"),
    ),
    {"L": "num_tokens"},
)


def attention(num_texts: int) -> Signature:
    """Where the tokens look: the map of one head."""
    return Signature(
        "attention",
        (
            *(TEXT, TEXT_B)[:num_texts],
            Tensor("layer", "int32", "", "counted from 0", default=0),
            Tensor("head", "int32", "", "counted from 0", default=0),
        ),
        (
            Tensor("tokens", "string", "BL", "with [CLS] and [SEP]"),
            Tensor("attention", "float32", "BLL", "[i, j]: what i pays to j, sum 1"),
            Tensor("num_tokens", "int32", "B", "how many of the L there are"),
            TRUNCATED,
        ),
        {"L": "num_tokens"},
    )


# Those that read a text of any length; the others cut it to the model's.
WINDOWED = ("tag", "answer", "tokenize")


def signature_of(name: str, config: dict) -> Signature:
    """The reverse of `Signature.to_config`."""

    def tensors(part):
        return tuple(
            Tensor(
                key,
                value["dtype"],
                "".join(value["shape"]),
                value["meaning"],
                value.get("default"),
            )
            for key, value in part.items()
        )

    return Signature(
        name, tensors(config["inputs"]), tensors(config["outputs"]), config["lengths"]
    )


def example_inputs(signature: Signature) -> dict:
    """One row for a signature: enough to plan its graph.

    The texts of a pair differ, as equal ones could take another way. Numbers are given
    once for each text: a server that batches takes no scalars.
    """
    import numpy as np

    return {
        tensor.name: np.full((1,) * len(tensor.shape), f"{i}", object)
        if tensor.default is None
        else np.array([tensor.default], tensor.dtype)
        for i, tensor in enumerate(signature.inputs)
    }
