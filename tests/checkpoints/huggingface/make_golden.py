"""Makes tests/data/core_golden_*: small random BERTs of transformers and their numbers.

python tests/checkpoints/huggingface/make_golden.py     (needs torch and transformers)
"""

from pathlib import Path

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

DATA = Path(__file__).parents[2] / "data"
SIZES = {
    "vocab_size": 99,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "max_position_embeddings": 16,
    # 10 times BERT's, so that the numbers are far from 0 and from each other.
    "initializer_range": 0.2,
}
# A pair with padding, a text alone with padding, and a full row.
INPUTS = {
    "token_ids": [
        [2, 7, 8, 4, 3, 9, 4, 10, 3, 0, 0, 0],
        [2, 30, 4, 31, 3, 0, 0, 0, 0, 0, 0, 0],
        [2, 90, 91, 92, 4, 94, 3, 95, 96, 4, 98, 3],
    ],
    "segment_ids": [
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    ],
    "padding_mask": [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
}


ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "tanh")
# What `outputs` of each model are called here.
NAMES = {
    "prediction_logits": "masked_lm",
    "seq_relationship_logits": "next_sentence",
    "logits": "logits",
    "start_logits": "start_logits",
    "end_logits": "end_logits",
}


def models():
    """Name -> a model, and how it is saved: its dtype and the size of a file."""
    labels = {
        "id2label": {0: "bad", 1: "fair", 2: "good"},
        "label2id": {"bad": 0, "fair": 1, "good": 2},
    }
    tags = {
        "id2label": dict(enumerate(("O", "B-PER", "I-PER", "B-LOC"))),
        "label2id": {"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3},
    }
    return {
        "pretrainer": (BertForPreTraining(BertConfig(**SIZES)), torch.float32, "1GB"),
        "classifier": (
            BertForSequenceClassification(
                BertConfig(**SIZES, hidden_act="gelu_new", **labels)
            ),
            torch.float32,
            "1GB",
        ),
        "token_classifier": (
            BertForTokenClassification(BertConfig(**SIZES, hidden_act="relu", **tags)),
            torch.float16,
            "1GB",
        ),
        "question_answerer": (
            BertForQuestionAnswering(BertConfig(**SIZES, layer_norm_eps=1e-5)),
            torch.bfloat16,
            "30kB",
        ),
    }


def fill(model, seed, dtype):
    """Numbers that the dtype holds, biases and norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        start = 1.0 if parameter.ndim == 1 and (parameter == 1).all() else 0.0
        parameter.data = (start + 0.2 * noise).to(dtype)
    model.tie_weights()


def numbers(model):
    """What the model gives for `INPUTS`, computed in float32."""
    inputs = {
        theirs: torch.tensor(INPUTS[ours])
        for theirs, ours in (
            ("input_ids", "token_ids"),
            ("token_type_ids", "segment_ids"),
            ("attention_mask", "padding_mask"),
        )
    }
    model = model.float().eval()
    with torch.no_grad():
        outputs = model(**inputs, output_hidden_states=True)
        pooled = model.bert(**inputs).pooler_output
    arrays = {"sequence_output": outputs.hidden_states[-1]}
    if pooled is not None:
        arrays["pooled_output"] = pooled
    for theirs, ours in NAMES.items():
        if theirs in outputs:
            arrays[ours] = outputs[theirs]
    return {name: array.numpy() for name, array in arrays.items()}


def main():
    inputs = {name: np.array(rows, "int32") for name, rows in INPUTS.items()}
    for seed, (name, (model, dtype, file_size)) in enumerate(models().items()):
        fill(model, seed, dtype)
        directory = DATA / f"core_golden_{name}"
        model.to(dtype).save_pretrained(directory, max_shard_size=file_size)
        for file in directory.iterdir():
            file.chmod(0o644)
        arrays = numbers(model)
        np.savez_compressed(DATA / f"core_golden_{name}.npz", **inputs, **arrays)

    arrays = {}
    for activation in ACTIVATIONS:  # on the pretrainer's weights
        model = BertForPreTraining.from_pretrained(
            DATA / "core_golden_pretrainer", hidden_act=activation
        )
        for name, array in numbers(model).items():
            array = array[:, 4] if name == "masked_lm" else array
            arrays[f"{activation}/{name}"] = array
    np.savez_compressed(DATA / "core_golden_activations.npz", **inputs, **arrays)


if __name__ == "__main__":
    main()
