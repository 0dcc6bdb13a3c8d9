"""User code for questions: where in a text is the answer?

    python examples/07_answer_questions.py examples/data

Last line: `1937년에`, or a part of it, of a text that the model has seen; it is too
small, and so are the data, for more than a guess at the others.
"""

import sys

import keras

import kbert

data = sys.argv[1] if len(sys.argv) > 1 else "examples/data"
task = kbert.QuestionAnswering(sequence_length=128, max_answer_length=12)
train = list(task.read(f"{data}/questions_train.json"))
dev = list(task.read(f"{data}/questions_dev.json"))

keras.utils.set_random_seed(1)
tokenizer = kbert.load_tokenizer("kbert_tiny_ko_en")
model = task.build(kbert.load_backbone("kbert_tiny_ko_en"))
packed = task.pack(train, tokenizer)
dataset = kbert.bucketed_dataset(task, packed, batch_size=8, epochs=24)
model.compile(
    kbert.adamw(2e-3, total_steps=len(dataset), bias_correction=True),
    **task.compile_arguments(),
)
model.fit(dataset, shuffle=False, verbose=2)  # shuffled already
dev_set = kbert.bucketed_dataset(task, task.pack(dev, tokenizer), batch_size=8)
print(model.evaluate(dev_set, return_dict=True, verbose=0))
print(task.score(kbert.answer(model, task, tokenizer, dev), dev))

text = "강릉 북쪽 바닷가의 등대는 1937년에 세워졌다. 높이는 이십일 미터이다."
question = task.typed(f"등대는 언제 세워졌는가?\t{text}", 1)
print(kbert.answer(model, task, tokenizer, [question])[0]["answer"])
