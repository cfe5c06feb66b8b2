"""Downloads and reads weights of networks, and the names of ImageNet's classes."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from image_classifier.engines.base import first_line
from tools.shared.errors import ToolError

# Silences TensorFlow's log at start (CPU features, no GPU).
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__all__ = [
    "CLASSES",
    "bounded_waits",
    "imagenet_labels",
    "load_weights",
    "numbered",
    "with_weights",
]

CLASSES = 1000  # of ImageNet's challenge, for which all these networks were trained
LABELS_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
DOWNLOAD_TIMEOUT_SECONDS = 10  # without a byte


@contextmanager
def bounded_waits() -> Iterator[None]:
    """Limits the waits of downloads by libraries that have no time limit of their own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def with_weights(make: Callable[..., Any], weights: str, **options: Any) -> Any:
    """Makes a network of ``keras.applications`` and loads its weights.

    Args:
        make: a function of that module.
        weights: "imagenet" (downloaded once, by Keras), "none" (random), or a file that Keras
            wrote for this network.
        options: for ``make``.

    Raises:
        ToolError: the weights cannot be downloaded or read, or are of another network.
    """
    if weights == "imagenet":
        try:
            with bounded_waits():
                return make(weights=weights, **options)
        except Exception as exc:  # Keras raises a bare Exception for a failed download
            raise ToolError(
                f"The ImageNet weights cannot be downloaded ({first_line(exc)}). Try again with a "
                "network, name a file that you have with --weights FILE, or see how it works with "
                "random ones: --weights none."
            ) from exc
    if weights != "none" and not Path(weights).is_file():
        raise ToolError(
            f"{weights} is no file with weights: name one (.h5, .weights.h5), or say imagenet or "
            "none."
        )
    network = make(weights=None, **options)
    if weights != "none":
        load_weights(network, weights)
    return network


def load_weights(network: Any, path: str) -> None:
    """Reads weights from a file that Keras wrote.

    Raises:
        ToolError: there is no such file, or it belongs to another network.
    """
    if not Path(path).is_file():
        raise ToolError(f"{path} is no file with weights.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exception says the same
            network.load_weights(path)
    except (ValueError, OSError, KeyError) as exc:
        raise ToolError(f"{path} does not fit this network: {first_line(exc)}.") from exc


def imagenet_labels(report: Callable[[str], None] = print) -> list[str]:
    """Returns ImageNet's 1000 names, each once; numbers if the list cannot be downloaded.

    Args:
        report: called with a sentence if the download failed.
    """
    import keras

    try:
        with bounded_waits():
            path = keras.utils.get_file("imagenet_class_index.json", LABELS_URL)
        listed = json.loads(Path(path).read_text("utf-8"))
    except Exception as exc:  # Keras raises a bare Exception for a failed download
        report(f"The names of ImageNet's classes cannot be downloaded ({exc}): numbers instead.")
        return numbered(CLASSES)
    labels: list[str] = []
    for index in range(len(listed)):
        code, name = listed[str(index)]
        labels.append(name if name not in labels else f"{name} ({code})")  # there are two cranes
    return labels


def numbered(count: int) -> list[str]:
    """Makes labels for classes without names."""
    return [f"class {index}" for index in range(count)]
