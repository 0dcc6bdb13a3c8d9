"""A classifier without TensorFlow, Keras and kbert: ONNX Runtime and `tokenizers`.

    kbert export-onnx my-classifier
    python examples/09_onnx_runtime.py onnx_models/my-classifier/1 "정말 재미있다"

Prints one line for each text, as `1 0.966 정말 재미있다`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

directory, *texts = sys.argv[1:]
labels = json.loads(Path(directory, "model_card.json").read_text("utf-8"))["labels"]
tokenizer = tokenizers.Tokenizer.from_file(f"{directory}/tokenizer.json")
session = onnxruntime.InferenceSession(f"{directory}/model.onnx")

rows = tokenizer.encode_batch(texts)
inputs = {
    "token_ids": [row.ids for row in rows],
    "segment_ids": [row.type_ids for row in rows],
    "padding_mask": [row.attention_mask for row in rows],
}
inputs = {name: np.array(ids, "int32") for name, ids in inputs.items()}
(logits,) = session.run(["logits"], inputs)
scores = np.exp(logits - logits.max(axis=1, keepdims=True))
scores /= scores.sum(axis=1, keepdims=True)
for text, row in zip(texts, scores, strict=True):
    print(labels[row.argmax()], f"{row.max():.3f}", text)
