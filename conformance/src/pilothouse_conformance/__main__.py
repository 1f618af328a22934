"""`python -m pilothouse_conformance`."""

import sys

from pilothouse_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
