"""User code for pairs of texts: does the second follow from the first?

    python examples/04_classify_pairs.py examples/data

Last line: `['entailment', 'contradiction']`, for two pairs that the model has seen; it
is too small, and so are the data, for more than a guess at the others.
"""

import csv
import sys

import keras
import tensorflow as tf

import kbert

LABELS = ["contradiction", "entailment", "neutral"]
data = sys.argv[1] if len(sys.argv) > 1 else "examples/data"


def batches(part):
    with open(f"{data}/entailment_{part}.tsv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = tuple([row[name] for row in rows] for name in ("premise", "hypothesis"))
    labels = [LABELS.index(row["label"]) for row in rows]
    dataset = tf.data.Dataset.from_tensor_slices((pairs, labels)).shuffle(1000, seed=0)
    return dataset.batch(16).map(lambda pair, label: (preprocess(pair), label))


keras.utils.set_random_seed(1)
preprocess = kbert.BertPreprocessor(kbert.load_tokenizer("kbert_tiny_ko_en"), 64)
model = kbert.BertTextClassifier(kbert.load_backbone("kbert_tiny_ko_en"), len(LABELS))
train, dev = batches("train"), batches("dev")
model.compile(
    kbert.adamw(2e-3, total_steps=20 * len(train), bias_correction=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy", kbert.F1(len(LABELS))],
)
model.fit(train, epochs=20, verbose=2)
print(model.evaluate(dev, return_dict=True, verbose=0))
premises = ["고양이가 창가에서 자고 있다."] * 2
pairs = premises, ["고양이가 잠들어 있다.", "고양이가 마당을 뛰어다닌다."]
print([LABELS[i] for i in model.predict(preprocess(pairs), verbose=0).argmax(axis=1)])
