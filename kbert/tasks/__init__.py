"""What the models are asked: files of examples in, answers in the task's words out."""
