"""The networks that the page lists, and a visitor's own."""
