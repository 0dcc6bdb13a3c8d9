"""One text or a pair, and a label, several labels or a number."""
