"""Checkpoints of TensorFlow: Google's of 2018, and the Model Garden's."""
