"""``python -m lam``: see `lam.cli.attribute`."""

import sys

from lam.cli.attribute import main

if __name__ == "__main__":
    sys.exit(main())
