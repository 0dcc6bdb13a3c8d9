"""Where examples come from: tables, JSON, TensorFlow Datasets, known data sets."""
