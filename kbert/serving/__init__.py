"""Strings in, answers out: SavedModels that need no kbert."""
