"""Makes tests/data/model_garden: small random BERTs of official.nlp and their numbers.

python tests/checkpoints/tensorflow/make_model_garden_golden.py

Needs tf-keras and tf-models-no-deps (or tf-models-official): the checkpoints are
written and the numbers computed by tensorflow/models' own classes.
"""

import json
import os
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers
from official.nlp.modeling.models import (
    bert_classifier,
    bert_pretrainer,
    bert_span_labeler,
    bert_token_classifier,
)
from official.nlp.modeling.networks import bert_encoder

DATA = Path(__file__).parents[2] / "data" / "model_garden"
SIZES = {
    "vocab_size": 17,
    "num_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "max_sequence_length": 12,
    "type_vocab_size": 2,
}
CONFIG = {
    "vocab_size": 17,
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}
TOKEN_IDS = [[2, 7, 8, 4, 3, 9, 4, 3, 0, 0], [2, 10, 4, 11, 12, 13, 14, 15, 16, 3]]
SEGMENT_IDS = [[0, 0, 0, 0, 0, 1, 1, 1, 0, 0], [0] * 10]
PADDING_MASK = [[1] * 8 + [0] * 2, [1] * 10]
POSITIONS = [[3, 6, 1], [2, 9, 0]]


def gelu(x):
    return tf_keras.activations.gelu(x, approximate=True)


def functional(**more):
    """The encoder as a functional model; its layers are numbered."""
    return bert_encoder.BertEncoder(
        **SIZES, intermediate_size=24, **({"dict_outputs": True} | more)
    )


def version_2():
    """The encoder as a layer of layers, known by their attributes."""
    encoder = bert_encoder.BertEncoderV2(**SIZES, inner_dim=24)
    encoder(encoder.inputs)
    return encoder


def pretrainer_2(encoder):
    head = layers.ClassificationHead(inner_dim=8, num_classes=2, name="next_sentence")
    model = bert_pretrainer.BertPretrainerV2(
        encoder, mlm_activation=gelu, classification_heads=[head]
    )
    model(model.inputs)
    return model


def models():
    """name -> (model, its encoder, what is given to tf.train.Checkpoint)."""
    encoder = functional()
    yield "encoder_functional", encoder, encoder, {"model": encoder}
    encoder = version_2()
    yield "encoder_v2", encoder, encoder, {"encoder": encoder}
    encoder = functional(dict_outputs=False)
    model = bert_pretrainer.BertPretrainer(
        encoder, num_classes=2, num_token_predictions=3, activation=gelu
    )
    yield "pretrainer_v1", model, encoder, {"model": model}
    encoder = functional()
    model = pretrainer_2(encoder)
    yield "pretrainer_items", model, encoder, model.checkpoint_items
    encoder = version_2()
    model = pretrainer_2(encoder)
    optimizer = tf_keras.optimizers.legacy.Adam(1e-3)
    optimizer.apply_gradients([(v, v) for v in model.trainable_variables])
    objects = {"model": model, "optimizer": optimizer, **model.checkpoint_items}
    yield "pretrainer_trainer", model, encoder, objects
    encoder = functional()
    model = bert_classifier.BertClassifier(encoder, num_classes=3)
    yield "classifier", model, encoder, {"model": model}
    encoder = functional()
    model = bert_classifier.BertClassifier(
        encoder, num_classes=3, use_encoder_pooler=False
    )
    objects = {"model": model, **model.checkpoint_items}
    yield "classifier_own_pooler", model, encoder, objects
    encoder = functional()
    model = bert_token_classifier.BertTokenClassifier(encoder, num_classes=5)
    yield "token_classifier", model, encoder, {"model": model}
    encoder = functional()
    model = bert_span_labeler.BertSpanLabeler(encoder)
    yield "span_labeler", model, encoder, {"model": model}


def numbers(model, encoder, inputs):
    """All outputs of a model as arrays, under kbert's names."""
    outputs = encoder(inputs)
    if isinstance(outputs, list):
        outputs = {"sequence_output": outputs[0], "pooled_output": outputs[1]}
    found = {key: outputs[key] for key in ("sequence_output", "pooled_output")}
    if "retrainer" in type(model).__name__:
        outputs = model(inputs | {"masked_lm_positions": np.int32(POSITIONS)})
        found["masked_lm"] = outputs.get("mlm_logits", outputs.get("masked_lm"))
        next_sentence = outputs.get("next_sentence", outputs.get("classification"))
        found["next_sentence"] = next_sentence
    elif isinstance(model, bert_span_labeler.BertSpanLabeler):
        found["start_logits"], found["end_logits"] = model(inputs)
    elif model is not encoder:
        outputs = model(inputs)
        found["logits"] = outputs["logits"] if isinstance(outputs, dict) else outputs
    return {key: np.asarray(value) for key, value in found.items()}


def main():
    inputs = {
        "input_word_ids": np.int32(TOKEN_IDS),
        "input_type_ids": np.int32(SEGMENT_IDS),
        "input_mask": np.int32(PADDING_MASK),
    }
    arrays = {
        "token_ids": inputs["input_word_ids"],
        "segment_ids": inputs["input_type_ids"],
        "padding_mask": inputs["input_mask"],
        "mask_positions": np.int32(POSITIONS),
    }
    for seed, (name, model, encoder, objects) in enumerate(models()):
        for i, weight in enumerate(model.weights):
            noise = np.random.default_rng([seed, i]).normal(size=weight.shape)
            weight.assign(float("gamma" in weight.name) + 0.4 * noise)
        tf.train.Checkpoint(**objects).write(str(DATA / name / "bert_model.ckpt"))
        text = json.dumps(CONFIG, indent=2) + "\n"
        (DATA / name / "bert_config.json").write_text(text, "utf-8")
        for key, value in numbers(model, encoder, inputs).items():
            arrays[f"{name}/{key}"] = value
    np.savez_compressed(DATA / "numbers.npz", **arrays)


if __name__ == "__main__":
    main()
