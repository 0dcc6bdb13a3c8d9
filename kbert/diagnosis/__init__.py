"""What silently ruins results: the checks behind `kbert doctor`."""
