"""Attribution and causal effect maps, computed a step at a time."""
