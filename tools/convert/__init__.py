"""``python -m tools.convert``: TensorFlow models to ONNX, with proof that they answer alike."""
