"""SavedModels over HTTP: strings in, answers out. Needs no other part of kbert."""
