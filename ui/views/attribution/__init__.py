"""What is shown of attribution and causal effect maps."""
