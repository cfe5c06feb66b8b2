"""Reads tf.Examples with TensorFlow itself."""

from __future__ import annotations

from typing import Any

__all__ = ["features_of"]


def features_of(example: bytes) -> dict[str, Any]:
    """The values of each feature of a serialized Example; None for a feature of no type."""
    import tensorflow as tf

    found = tf.train.Example.FromString(example).features.feature
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        if feature.WhichOneof("kind")
        else None
        for name, feature in found.items()
    }
