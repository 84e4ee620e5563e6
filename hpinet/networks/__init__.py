"""One way to open any network: HPINet's, bicubic, and other architectures."""
