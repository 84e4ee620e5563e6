"""The commands ``python -m hpinet upscale|evaluate|benchmark|train|export|download``."""
