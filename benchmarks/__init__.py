"""What measures the product: comparisons with plain formulas, the LAM demo and other commits."""
