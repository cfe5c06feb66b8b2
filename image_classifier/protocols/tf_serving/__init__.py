"""TensorFlow Serving's prediction API, whatever carries it."""
