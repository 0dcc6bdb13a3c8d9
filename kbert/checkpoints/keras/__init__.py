"""Models as Keras and KerasHub save them."""
