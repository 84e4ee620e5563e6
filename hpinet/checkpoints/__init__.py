"""Files of weights: what exists, what a file promises, and how it becomes a network."""
