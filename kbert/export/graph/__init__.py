"""What `kbert.tasks` decodes in NumPy, in TensorFlow's own ops."""
