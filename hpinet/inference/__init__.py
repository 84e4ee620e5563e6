"""Super-resolving an image with a network: memory, precision, Global Pixel Access off."""
