"""The commands ``python -m lam IMAGE`` and its sub-commands."""
