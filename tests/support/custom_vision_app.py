"""The app as Custom Vision's SDKs are run against it: with a key, and two published names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.builders import model_folder
from tests.support.servers import LocalHost

__all__ = ["KEY", "PROJECT", "published_app"]

PROJECT = "6ad1d8e4-27de-4e47-8bf1-1c3b0b3f4a11"
KEY = "a key that nobody guesses"


@contextmanager
def published_app(models: Path, onnx: bytes) -> Iterator[LocalHost]:
    """Publishes ``my model`` (Bleu, Negative, Rouge) and ``Iteration1`` (Blue, Green, Red).

    Args:
        models: an empty folder.
        onnx: the colour model of ``builders.py``.
    """
    model_folder(models, "colours", 1, onnx=onnx)
    model_folder(models, "colours", 2, onnx=onnx, labels="Bleu\nNegative\nRouge")
    env = {
        "MODELS_DIR": str(models),
        "API_KEYS": KEY,
        "CUSTOM_VISION_MODELS": f"{PROJECT}/my model=colours,{PROJECT}/Iteration1=colours/1",
        "FETCH_ALLOW_PRIVATE_ADDRESSES": "true",
        "MAX_IMAGE_BYTES": "300000",
    }
    with LocalHost(env=env) as running:
        yield running
