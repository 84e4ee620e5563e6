"""What is kept: results within a limit of bytes, and files to download."""
