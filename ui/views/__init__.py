"""Results as values for the page's components."""
