"""TensorFlow Serving as a process: ``python -m model_server``, with gRPC and REST."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
