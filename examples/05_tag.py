"""User code for tagging: the names of people, places, offices and dates in a text.

    python examples/05_tag.py examples/data [--lora 8]

With `--lora RANK`, low-rank adapters train in place of the weights below the head.

Last line: `[('PER', '김서연'), ('DAT', '지난해'), ('LOC', '부산에')]`, or some of them.
"""

import argparse

import keras

import kbert

parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?", default="examples/data")
parser.add_argument("--lora", type=int, metavar="RANK")
arguments = parser.parse_args()
task = kbert.TokenClassification(sequence_length=64)
train = list(task.read(f"{arguments.data}/entities_train.txt"))
dev = list(task.read(f"{arguments.data}/entities_dev.txt"))
task = task.learned(train)  # the tags

keras.utils.set_random_seed(1)
tokenizer = kbert.load_tokenizer("kbert_tiny_ko_en")
model = task.build(kbert.load_backbone("kbert_tiny_ko_en"))
if arguments.lora:
    model.backbone.enable_lora(arguments.lora)
packed = task.pack(train, tokenizer)
dataset = kbert.bucketed_dataset(task, packed, batch_size=8, epochs=30)
rate = 1e-2 if arguments.lora else 2e-3
model.compile(
    kbert.adamw(rate, total_steps=len(dataset), bias_correction=True),
    **task.compile_arguments(),
)
model.fit(dataset, shuffle=False, verbose=2)  # shuffled already
dev_set = kbert.bucketed_dataset(task, task.pack(dev, tokenizer), batch_size=8)
print(model.evaluate(dev_set, return_dict=True, verbose=0))
print(task.score(kbert.answer(model, task, tokenizer, dev), dev)["f1"])

text = task.typed("김서연 관장은 지난해 부산에 도서관을 열었다.", 1)
(answer,) = kbert.answer(model, task, tokenizer, [text])
print([(entity["type"], entity["text"]) for entity in answer["entities"]])
