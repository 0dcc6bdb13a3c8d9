"""report.html: scores, curves and the worst errors, for people."""
