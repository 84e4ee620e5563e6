"""``python -m hpinet``: see `hpinet.cli.main`."""

import sys

from hpinet.cli.main import main
from hpinet.home import ensure_cache

if __name__ == "__main__":
    ensure_cache()
    sys.exit(main())
