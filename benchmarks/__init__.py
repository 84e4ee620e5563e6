"""The product against plain formulas and published procedures: ``python -m benchmarks``."""
