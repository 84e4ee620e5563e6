"""HPINet for other programs: ``python -m hpinet export``."""
