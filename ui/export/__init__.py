"""Results as ZIP files, with the commands that compute them again."""
