"""From text files to pre-training batches, with NumPy alone."""
