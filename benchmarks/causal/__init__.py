"""Causal effect maps beside the published procedure."""
