"""TensorFlow Serving as a process: ``python -m model_server``, with gRPC and REST."""
