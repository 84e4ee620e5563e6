"""What is shown of matches."""
