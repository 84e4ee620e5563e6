"""Causal effect maps: whether what a network looks at helps it."""
