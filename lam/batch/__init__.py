"""Maps of many images and networks: ``python -m lam dataset``."""
