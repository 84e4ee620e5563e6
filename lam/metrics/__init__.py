"""What a map says in numbers: diffusion index, areas, shares of matched patches."""
