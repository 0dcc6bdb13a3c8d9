"""Twenty lines of user code: raw strings, a shipped BERT, `model.fit`, a SavedModel.

    python examples/02_classify_with_fit.py

Last line: `[b'1' b'0']`, or close to it: the model is small and saw 2,000 reviews.
"""

import csv
import sys

import keras
import tensorflow as tf

import kbert

train = sys.argv[1] if len(sys.argv) > 1 else "kbert/presets/samples/nsmc_train.tsv"
with open(train, encoding="utf-8") as stream:
    rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
texts = [row["document"] for row in rows]
labels = [int(row["label"]) for row in rows]

tokenizer = kbert.load_tokenizer("kbert_tiny_ko_en")
preprocess = kbert.BertPreprocessor(tokenizer, sequence_length=64)
model = kbert.BertTextClassifier(kbert.load_backbone("kbert_tiny_ko_en"), num_classes=2)
dataset = tf.data.Dataset.from_tensor_slices((texts, labels)).shuffle(10000).batch(32)
dataset = dataset.map(lambda text, label: (preprocess(text), label))

model.compile(
    kbert.adamw(3e-4, total_steps=3 * len(dataset), bias_correction=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(dataset, epochs=3)

strings = keras.Input((), dtype="string", name="text")
served = keras.Model(strings, model(preprocess(strings)))
served.export("saved_models/nsmc_by_hand/1")

loaded = tf.saved_model.load("saved_models/nsmc_by_hand/1")
logits = loaded.serve(tf.constant(["정말 재미있게 봤습니다", "시간이 아깝다"]))
print(tf.gather(tf.constant(["0", "1"]), tf.argmax(logits, axis=1)).numpy())
