"""`python -m wellfit` is the command `wellfit`."""

import sys

from wellfit.cli import main

if __name__ == "__main__":
    sys.exit(main())
