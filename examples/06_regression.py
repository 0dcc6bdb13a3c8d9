"""User code for a number instead of a label: how alike are two sentences, 0 to 5?

    python examples/06_regression.py examples/data

Last line: `[4.5 0.5]`, or near it, for two pairs that the model has seen; it is too
small, and so are the data, for more than a guess at the others.
"""

import csv
import sys

import keras
import tensorflow as tf

import kbert

data = sys.argv[1] if len(sys.argv) > 1 else "examples/data"


def batches(part):
    with open(f"{data}/similarity_{part}.tsv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = tuple([row[name] for row in rows] for name in ("sentence1", "sentence2"))
    scores = [float(row["score"]) for row in rows]
    dataset = tf.data.Dataset.from_tensor_slices((pairs, scores)).shuffle(1000, seed=0)
    return dataset.batch(16).map(lambda pair, score: (preprocess(pair), score))


keras.utils.set_random_seed(1)
preprocess = kbert.BertPreprocessor(kbert.load_tokenizer("kbert_tiny_ko_en"), 64)
model = kbert.BertTextClassifier(kbert.load_backbone("kbert_tiny_ko_en"), num_classes=1)
train, dev = batches("train"), batches("dev")
model.compile(
    kbert.adamw(2e-3, total_steps=20 * len(train), bias_correction=True),
    loss="mse",
    metrics=[kbert.PearsonCorrelation(), kbert.SpearmanCorrelation()],
)
model.fit(train, epochs=20, verbose=2)
print(model.evaluate(dev, return_dict=True, verbose=0))
firsts = ["기차가 십 분 늦게 도착했다."] * 2
pairs = firsts, ["열차가 예정보다 십 분 늦었다.", "바다 위로 달이 떠올랐다."]
print(model.predict(preprocess(pairs), verbose=0)[:, 0].round(1))
