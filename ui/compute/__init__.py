"""The page's computations, each kept by content."""
