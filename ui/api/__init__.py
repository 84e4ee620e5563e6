"""The page as an API."""
