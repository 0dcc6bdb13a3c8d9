"""Makes the numbers and lists that the tests of tensorflow/google.py rest on.

python tests/checkpoints/tensorflow/make_google_golden.py
    tests/data/google_tf1_tiny.npz: the outputs of transformers' `BertForPreTraining`
    (needs torch and transformers) with the weights of tests/data/google_tf1_tiny, which
    are moved by hand here, for transformers 5 does not read TF1's checkpoints.

python tests/checkpoints/tensorflow/make_google_golden.py DIRECTORY...
    tests/data/google_tf1_variables.json: names and shapes of the variables of real
    checkpoints, from bert_config.json and *.ckpt.index in each directory; the data is
    not needed. Layers are folded to "layer_*", optimizer slots to "slots".
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

DATA = Path(__file__).parents[2] / "data"
CHECKPOINT = DATA / "google_tf1_tiny"
# [CLS] … [SEP] (a pair with padding), a text alone with padding, and a full row.
INPUTS = {
    "token_ids": [
        [2, 5, 6, 4, 7, 3, 8, 9, 4, 3, 0, 0],
        [2, 10, 4, 11, 3, 0, 0, 0, 0, 0, 0, 0],
        [2, 12, 13, 14, 5, 4, 6, 3, 7, 8, 4, 3],
    ],
    "segment_ids": [
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
    ],
    "padding_mask": [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
}


def moved(reader):
    """Google's variables as the state of transformers' model."""
    state = {}

    def move(theirs, google, transposed=False):
        value = reader.get_tensor(google)
        state[theirs] = value.T if transposed else value

    def dense(theirs, google):
        move(f"{theirs}.weight", f"{google}/kernel", transposed=True)
        move(f"{theirs}.bias", f"{google}/bias")

    def norm(theirs, google):
        move(f"{theirs}.weight", f"{google}/gamma")
        move(f"{theirs}.bias", f"{google}/beta")

    for name in ("word", "position", "token_type"):
        move(
            f"bert.embeddings.{name}_embeddings.weight",
            f"bert/embeddings/{name}_embeddings",
        )
    norm("bert.embeddings.LayerNorm", "bert/embeddings/LayerNorm")
    for i in range(2):
        theirs, google = f"bert.encoder.layer.{i}", f"bert/encoder/layer_{i}"
        for name in ("query", "key", "value"):
            dense(f"{theirs}.attention.self.{name}", f"{google}/attention/self/{name}")
        for name in ("attention.output", "output"):
            there = f"{google}/{name.replace('.', '/')}"
            dense(f"{theirs}.{name}.dense", f"{there}/dense")
            norm(f"{theirs}.{name}.LayerNorm", f"{there}/LayerNorm")
        dense(f"{theirs}.intermediate.dense", f"{google}/intermediate/dense")
    dense("bert.pooler.dense", "bert/pooler/dense")
    dense("cls.predictions.transform.dense", "cls/predictions/transform/dense")
    norm("cls.predictions.transform.LayerNorm", "cls/predictions/transform/LayerNorm")
    move("cls.predictions.bias", "cls/predictions/output_bias")
    # (2, D) in both: Google's is not a kernel, and is multiplied transposed.
    move("cls.seq_relationship.weight", "cls/seq_relationship/output_weights")
    move("cls.seq_relationship.bias", "cls/seq_relationship/output_bias")
    return state


def make_numbers():
    import torch
    from transformers import BertConfig, BertForPreTraining

    config = json.loads((CHECKPOINT / "bert_config.json").read_text("utf-8"))
    # Google's GELU has the form by tanh, which transformers calls "gelu_new".
    model = BertForPreTraining(BertConfig(**config | {"hidden_act": "gelu_new"}))
    reader = tf.train.load_checkpoint(str(CHECKPOINT / "bert_model.ckpt"))
    state = {name: torch.tensor(value) for name, value in moved(reader).items()}
    found = model.load_state_dict(state, strict=False)
    # What is tied, and what is a constant.
    assert not found.unexpected_keys
    assert all("decoder" in key or "position_ids" in key for key in found.missing_keys)
    model.tie_weights()
    model.eval()
    theirs = ("input_ids", "token_type_ids", "attention_mask")
    inputs = {t: torch.tensor(rows) for t, rows in zip(theirs, INPUTS.values())}
    with torch.no_grad():
        outputs = model(**inputs, output_hidden_states=True)
        pooled = model.bert(**inputs).pooler_output
    np.savez_compressed(
        DATA / "google_tf1_tiny.npz",
        **{name: np.int32(rows) for name, rows in INPUTS.items()},
        hidden_states=np.stack([h.numpy() for h in outputs.hidden_states]),
        pooled_output=pooled.numpy(),
        masked_lm=outputs.prediction_logits.numpy(),
        next_sentence=outputs.seq_relationship_logits.numpy(),
    )


def folded(shapes):
    """{name: shape} of a checkpoint, shortened; the test's `unfolded` reverses it."""
    slots = sorted(
        {n.rpartition("/")[2] for n in shapes if n.rpartition("/")[0] in shapes}
    )
    own = {n: s for n, s in shapes.items() if n.rpartition("/")[0] not in shapes}
    variables = {re.sub(r"layer_\d+", "layer_*", n): s for n, s in own.items()}
    return {"slots": slots, "variables": variables}


def make_lists(directories):
    found = {}
    for directory in map(Path, directories):
        (index,) = directory.glob("*.index")
        reader = tf.train.load_checkpoint(str(index.with_suffix("")))
        config = json.loads((directory / "bert_config.json").read_text("utf-8"))
        shapes = dict(sorted(reader.get_variable_to_shape_map().items()))
        entry = {"config": config, "count": len(shapes), **folded(shapes)}
        found[directory.name] = entry
    lines = [f"{json.dumps(n)}: {json.dumps(entry)}" for n, entry in found.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (DATA / "google_tf1_variables.json").write_text(text, "utf-8")


if __name__ == "__main__":
    make_lists(sys.argv[1:]) if sys.argv[1:] else make_numbers()
