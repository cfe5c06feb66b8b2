"""Serves TensorFlow Serving's API over gRPC and REST: ``python -m model_server``."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
