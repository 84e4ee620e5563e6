"""``python -m hpinet``: see `hpinet.cli.main`."""

import sys

from hpinet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
