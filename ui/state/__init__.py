"""What a visitor has chosen and loaded, and what is kept of it."""
