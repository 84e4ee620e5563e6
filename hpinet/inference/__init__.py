"""Super-resolving an image with a network: precision, Global Pixel Access off."""
