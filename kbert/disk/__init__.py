"""Files that are whole or not there, and what a run must keep to be repeated."""
