"""Training: recipes, the loop, its state and its log."""
