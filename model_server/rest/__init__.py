"""Serves the REST API of TensorFlow Serving."""
