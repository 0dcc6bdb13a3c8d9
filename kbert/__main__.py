"""`python -m kbert`, and the `kbert` command."""

import sys

from kbert.cli import main

if __name__ == "__main__":
    sys.exit(main())
