"""Speed and memory beside plain formulas and other commits."""
