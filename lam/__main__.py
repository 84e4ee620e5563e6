"""``python -m lam``: see `lam.cli.main`."""

import sys

from hpinet.home import ensure_cache
from lam.cli.main import main

if __name__ == "__main__":
    ensure_cache()
    sys.exit(main())
