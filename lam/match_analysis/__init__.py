"""Matches over many images: statistics, knock-outs, and what changes do to the diffusion index."""
