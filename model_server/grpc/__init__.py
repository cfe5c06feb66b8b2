"""Serves the gRPC services of TensorFlow Serving."""
