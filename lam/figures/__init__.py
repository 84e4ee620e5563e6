"""Figures from plain arrays, for notebooks, commands and the page."""
