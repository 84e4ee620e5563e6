"""The tabs *Receptive field* and *Many networks*."""
