"""One model of each kind, tiny and random, and what transformers computes of it.

python tests/foreign_reference.py       writes tests/data/foreign_outputs.npz
"""

import dataclasses
import functools
import importlib.util
from pathlib import Path

import numpy as np

TOKENS = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]"],
    *["hello", "world", "the", "movie", "##s", "cafe", "a", "!", ",", "."],
    *["un", "##believ", "##able", "##ing", "電", "影"],
]
TEXTS = ("Hello World!", "the movies, Café.", "UNBELIEVABLE 電影")
PIECES = (
    ["hello", "world", "!"],
    ["the", "movie", "##s", ",", "cafe", "."],
    ["un", "##believ", "##able", "電", "影"],
)
IDS = [[TOKENS.index(piece) for piece in pieces] for pieces in PIECES]
LENGTH = 24
GOLDEN = Path(__file__).parent / "data" / "foreign_outputs.npz"
SIZES = {
    "vocab_size": len(TOKENS),
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "max_position_embeddings": LENGTH,
}
INPUTS = {
    "token_ids": [[2, 7, 4, 3, 9, 3, 0, 0], [2, 8, 11, 3, 0, 0, 0, 0]],
    "segment_ids": [[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8],
    "padding_mask": [[1] * 6 + [0] * 2, [1] * 4 + [0] * 4],
}
INPUTS = {name: np.array(rows, "int32") for name, rows in INPUTS.items()}
# Outputs of transformers and of kbert.
OUTPUTS = {
    "last_hidden_state": "sequence_output",
    "pooler_output": "pooled_output",
    "prediction_logits": "masked_lm",
    "seq_relationship_logits": "next_sentence",
    "logits": "logits",
    "start_logits": "start_logits",
    "end_logits": "end_logits",
}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A model of transformers with random weights, known by its numbers alone.

    Its outputs are computed by transformers where that is installed, and are read from
    tests/data/foreign_outputs.npz elsewhere (`python tests/foreign_reference.py`
    writes it); a test compares the two.

    Attributes:
        kind: the class, "BertForMaskedLM".
        fields: of its config, beside `SIZES`.
        is_half: the weights are rounded to float16.
    """

    kind: str = "BertModel"
    fields: tuple[tuple[str, object], ...] = ()
    is_half: bool = False

    def tensors(self, prefix="") -> dict:
        """Name -> array, with a prefix before each name; the tied decoder left out."""
        rng = np.random.default_rng(3)
        found = {}
        for name, shape in _shapes(self.kind, dict(self.fields)).items():
            array = rng.normal(0, 0.4, shape).astype("float32")
            found[prefix + name] = array.astype("float16") if self.is_half else array
        return found

    def outputs(self) -> dict:
        """For `INPUTS`, under kbert's names."""
        if self._is_live:
            return self.live_outputs()
        stored, start = np.load(GOLDEN), f"{self.key}/outputs/"
        return {n.removeprefix(start): stored[n] for n in stored if n.startswith(start)}

    def states(self, length=LENGTH) -> list[np.ndarray]:
        """The last vectors (L, D) of the tokens of `TEXTS`, of at most `length`."""
        if not self._is_live:
            stored = np.load(GOLDEN)
            return [stored[f"{self.key}/{length}/{i}"] for i in range(len(TEXTS))]
        return self.live_states(length)

    @property
    def key(self) -> str:
        fields = "".join(f",{name}={value}" for name, value in self.fields)
        return f"{self.kind}{fields}{',half' * self.is_half}"

    @property
    def _is_live(self):
        names = ("torch", "transformers")
        return all(importlib.util.find_spec(name) for name in names)

    @functools.cached_property
    def torch(self):
        """The model itself."""
        import torch
        import transformers

        config = transformers.BertConfig(**SIZES | dict(self.fields))
        made = getattr(transformers, self.kind)(config)
        state = {n: torch.tensor(a).float() for n, a in self.tensors().items()}
        missing, unknown = made.load_state_dict(state, strict=False)
        tied = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
        assert not unknown and set(missing) <= {*tied}, (missing, unknown)
        return made.eval()

    def live_outputs(self) -> dict:
        return self.outputs_of(self.torch)

    def outputs_of(self, made) -> dict:
        """Those of a model of transformers, as this one in other numbers."""
        import torch

        names = {
            "token_ids": "input_ids",
            "segment_ids": "token_type_ids",
            "padding_mask": "attention_mask",
        }
        inputs = {names[name]: torch.tensor(r).long() for name, r in INPUTS.items()}
        with torch.no_grad():
            found = made(**inputs)
        given = {o: found[n].numpy() for n, o in OUTPUTS.items() if n in found}
        if self.kind == "BertForMaskedLM":
            given["masked_lm"] = given.pop("logits")
        return given

    def live_states(self, length) -> list[np.ndarray]:
        import torch

        found = []
        for ids in IDS:
            row = [TOKENS.index("[CLS]"), *ids[: length - 2], TOKENS.index("[SEP]")]
            with torch.no_grad():
                states = self.torch(torch.tensor([row])).last_hidden_state
            found.append(states[0].numpy())
        return found

    def config(self, **fields) -> dict:
        """`config.json` as all versions wrote it, without later fields.

        `fields` rule over it; those that are None are left out.
        """
        own = dict(self.fields)
        labels = own.pop("num_labels", None)
        stored = {"model_type": "bert", "architectures": [self.kind], **SIZES, **own}
        stored |= {"type_vocab_size": 2, "layer_norm_eps": 1e-12}
        stored.setdefault("hidden_act", "gelu")
        if labels:
            stored["id2label"] = {str(i): f"LABEL_{i}" for i in range(labels)}
        stored |= fields
        return {name: value for name, value in stored.items() if value is not None}


def reference(kind="BertModel", is_half=False, **fields) -> Reference:
    return Reference(kind, tuple(sorted(fields.items())), is_half)


def _shapes(kind, fields):
    """Name -> shape of the tensors of a class of transformers, in a fixed order."""
    width, inner = SIZES["hidden_size"], SIZES["intermediate_size"]
    vocabulary_size = fields.get("vocab_size", SIZES["vocab_size"])
    rows = {"word": vocabulary_size, "position": LENGTH, "token_type": 2}
    found = {f"embeddings.{n}_embeddings.weight": (r, width) for n, r in rows.items()}

    def dense(name, into, out):
        found.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})

    def norm(name):
        found.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    norm("embeddings.LayerNorm")
    for i in range(SIZES["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        for name in ("query", "key", "value"):
            dense(f"{layer}.attention.self.{name}", width, width)
        dense(f"{layer}.attention.output.dense", width, width)
        norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", width, inner)
        dense(f"{layer}.output.dense", inner, width)
        norm(f"{layer}.output.LayerNorm")
    if kind in ("BertModel", "BertForPreTraining", "BertForSequenceClassification"):
        dense("pooler.dense", width, width)
    if kind == "BertModel":
        return found
    found = {f"bert.{name}": shape for name, shape in found.items()}
    if kind in ("BertForPreTraining", "BertForMaskedLM"):
        found["cls.predictions.bias"] = (vocabulary_size,)
        dense("cls.predictions.transform.dense", width, width)
        norm("cls.predictions.transform.LayerNorm")
    if kind == "BertForPreTraining":
        dense("cls.seq_relationship", width, 2)
    elif kind == "BertForQuestionAnswering":
        dense("qa_outputs", width, 2)
    elif kind != "BertForMaskedLM":
        dense("classifier", width, fields["num_labels"])
    return found


# Those that rows of `foreign_directories` use where transformers is not installed.
STORED = (
    reference(),
    reference(hidden_act="gelu_new"),
    reference(vocab_size=len(TOKENS) + 3),
    reference("BertForPreTraining"),
    reference("BertForPreTraining", hidden_act="gelu_new"),
    reference("BertForSequenceClassification", num_labels=3),
    reference("BertForSequenceClassification", num_labels=3, hidden_act="gelu_new"),
    reference("BertForTokenClassification", num_labels=5),
    reference("BertForQuestionAnswering"),
)


def stored_numbers() -> dict:
    """What is in the file of numbers, computed by transformers."""
    found = {}
    for made in STORED:
        for name, array in made.live_outputs().items():
            found[f"{made.key}/outputs/{name}"] = array
    for length in (LENGTH, 5):
        for i, states in enumerate(STORED[0].live_states(length)):
            found[f"{STORED[0].key}/{length}/{i}"] = states
    return found


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **stored_numbers())
    print(GOLDEN)
