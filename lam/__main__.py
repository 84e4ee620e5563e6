"""``python -m lam``: see `lam.cli.main`."""

import sys

from lam.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
