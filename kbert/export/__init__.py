"""Models that need no kbert: SavedModels, ONNX, LiteRT."""
