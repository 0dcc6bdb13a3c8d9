"""Makes tests/data/core_golden_*: small random BERTs of transformers and their numbers.

python tests/checkpoints/make_golden.py     (needs torch and transformers)
"""

from pathlib import Path

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
)

DATA = Path(__file__).parents[1] / "data"
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


def main():
    inputs = {name: torch.tensor(rows) for name, rows in INPUTS.items()}
    theirs = {
        "input_ids": inputs["token_ids"],
        "token_type_ids": inputs["segment_ids"],
        "attention_mask": inputs["padding_mask"],
    }
    models = {
        "pretrainer": BertForPreTraining(BertConfig(**SIZES)),
        "classifier": BertForSequenceClassification(
            BertConfig(
                **SIZES,
                hidden_act="gelu_new",
                id2label={0: "bad", 1: "fair", 2: "good"},
                label2id={"bad": 0, "fair": 1, "good": 2},
            )
        ),
    }
    for seed, (name, model) in enumerate(models.items()):
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():  # biases and norms away from 0 and 1
            noise = torch.randn(parameter.shape, generator=generator)
            start = 1.0 if parameter.ndim == 1 and (parameter == 1).all() else 0.0
            parameter.data = start + 0.2 * noise
        model.tie_weights()
        model.eval()
        model.save_pretrained(DATA / f"core_golden_{name}")
        with torch.no_grad():
            outputs = model(**theirs, output_hidden_states=True)
            pooled = model.bert(**theirs).pooler_output
        arrays = {
            "sequence_output": outputs.hidden_states[-1],
            "pooled_output": pooled,
        }
        if name == "pretrainer":
            arrays["masked_lm"] = outputs.prediction_logits
            arrays["next_sentence"] = outputs.seq_relationship_logits
        else:
            arrays["logits"] = outputs.logits
        arrays = {key: value.numpy() for key, value in arrays.items()}
        ids = {key: value.numpy().astype("int32") for key, value in inputs.items()}
        np.savez_compressed(DATA / f"core_golden_{name}.npz", **ids, **arrays)


if __name__ == "__main__":
    main()
