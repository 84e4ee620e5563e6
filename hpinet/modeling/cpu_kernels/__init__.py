"""Attention and feed-forward networks for CPUs, in chunks that stay in the processor's cache."""

from .chunks import scores_held
from .layers import attention, feed_forward, pays

__all__ = ["attention", "feed_forward", "pays", "scores_held"]
