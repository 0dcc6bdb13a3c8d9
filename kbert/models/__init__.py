"""The models: functional `keras.Model`s composed from `kbert.layers`."""
