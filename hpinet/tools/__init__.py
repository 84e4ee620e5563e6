"""What a network costs, and HPINet as an ONNX file."""
