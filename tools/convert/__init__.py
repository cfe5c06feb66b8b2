"""Converts TensorFlow models to ONNX and verifies the scores: python -m tools.convert."""
