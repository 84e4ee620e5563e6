"""The tab *Matched patches*."""
