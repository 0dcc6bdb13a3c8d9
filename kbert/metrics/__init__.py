"""What a score is, from `keras.ops` alone."""
