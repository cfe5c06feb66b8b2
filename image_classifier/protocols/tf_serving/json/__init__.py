"""TensorFlow Serving's JSON, to the byte."""
