"""What a file of weights promises, checked before it is read, and its tensors."""
