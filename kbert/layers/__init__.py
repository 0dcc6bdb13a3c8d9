"""The layers of BERT, from `keras.ops` alone: they run on any Keras backend."""
