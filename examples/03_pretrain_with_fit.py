"""Pre-training by hand: a vocabulary, a token store, `batch(step)` and `model.fit`.

    python examples/03_pretrain_with_fit.py TEXT.txt WORK_DIR [STEPS]

Add `tf.distribute.MirroredStrategy` as below for several GPUs: the batch stays the
global one. Last line: the candidates for one mask.
"""

import sys
from pathlib import Path

import keras
import tensorflow as tf

import kbert
from kbert.pretraining.corpus import documents
from kbert.pretraining.token_store import build_token_store

text, work = Path(sys.argv[1]), Path(sys.argv[2])
steps = int(sys.argv[3]) if len(sys.argv) > 3 else 1000

vocabulary = kbert.learn_vocabulary([text], vocabulary_size=2000)
tokenizer = kbert.BertTokenizer(vocabulary)
store = build_token_store(
    documents([text]), lambda s: tokenizer(s).to_list(), work / "store"
)
batches = kbert.PretrainingBatches(
    store, vocabulary, batch_size=32, sequence_length=64, seed=1
)

keras.utils.set_random_seed(1)
strategy = (
    tf.distribute.MirroredStrategy()
    if tf.config.list_physical_devices("GPU")
    else tf.distribute.get_strategy()
)
with strategy.scope():
    config = kbert.bert_tiny(vocabulary_size=len(vocabulary), max_sequence_length=64)
    model = kbert.BertPretrainer(kbert.BertBackbone(**config.arguments()))
    kbert.compile_pretrainer(model, kbert.adamw(1e-3, total_steps=steps))
model.fit(kbert.BatchRange(batches, 0, steps), shuffle=False)

kbert.save(model, work / "bert", tokenizer, overwrite=True)
found = kbert.fill_mask(str(work / "bert"), "정부는 [MASK] 한다.")
print(", ".join(row["token"] for row in found))
